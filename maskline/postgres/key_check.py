"""Whether a keyset is the one that a database's rows were masked under, and not an older version of it."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from maskline.keys import Keyset
from maskline.postgres.key_registry import DESTROYED, ENABLED, KnownKey


class KeyComparison(msgspec.Struct):
    """The differences between a keyset and a database.

    Attributes:
        problems: What a job must not start with, a sentence each with what to do.
        warnings: What it may start with, and an operator should know.
    """

    problems: list[str] = []
    warnings: list[str] = []


def compare_keys(keyset: Keyset, known: Sequence[KnownKey]) -> KeyComparison:
    """Compare a keyset with the keys that a database knows.

    Args:
        keyset: The keyset.
        known: The keys, in the order in which the database came to know them.
    """
    comparison = KeyComparison()
    states = {key.key_id: key.state for key in known}
    primary = keyset.primary_key_id
    if states.get(primary, ENABLED) != ENABLED:
        comparison.problems.append(
            f"its primary key {primary} is {states[primary]} in this database, which takes no rows under it; give the "
            "newer version of the keyset"
            + ("" if states[primary] == DESTROYED else f", or run keys enable {primary} --postgres DSN")
        )
        return comparison
    written = [key for key in known if key.last_written is not None and key.state != DESTROYED]
    missing = [key.key_id for key in written if key.key_id not in keyset.history]
    if not written:
        return comparison
    newest = written[-1].key_id
    if len(missing) == len(written):
        comparison.problems.append(
            f"it has none of the keys that this database's rows were masked under ({_listed(missing)}), so they "
            "neither join with new rows nor can be unmasked; give the keyset that has them, or another database"
        )
    elif _is_older(primary, newest, known):
        comparison.problems.append(
            f"its primary key {primary} is older than key {newest}, under which rows were masked since: it is a "
            "version from before the rotation; give the newer one, or, to leave that key, add a new one and promote it"
        )
    elif missing:
        comparison.warnings.append(
            f"it lacks {_listed(missing)}, under which rows of this database were masked; where there still are some, "
            "it cannot unmask them"
        )
    return comparison


def _is_older(primary: int, newest: int, known: Sequence[KnownKey]) -> bool:
    order = [key.key_id for key in known]
    return primary in order and order.index(primary) < order.index(newest)


def _listed(key_ids: Sequence[int]) -> str:
    return ", ".join(f"key {key_id}" for key_id in key_ids)
