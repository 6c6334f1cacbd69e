"""Which messages of a queue belong to a stream, as ``[match]`` says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from maskline.streams.failures import InvalidValueError
from maskline.streams.message_format import Condition
from maskline.streams.opening import Opened, source_finder

Matches = Callable[[Opened], bool]


def matcher(conditions: Sequence[Condition]) -> Matches:
    """Return a function that says whether all conditions hold for an opened message.

    A condition does not hold where its path finds nothing, or a record of another shape. Values are compared with their
    type: ``1``, ``"1"`` and ``true`` are three values.

    Args:
        conditions: The lines of ``[match]``; a stream without any takes every message.
    """
    checks = [
        (source_finder(condition.source), frozenset((type(value), value) for value in condition.values))
        for condition in conditions
    ]

    def matches(opened: Opened) -> bool:
        return all(_holds(find, allowed, opened) for find, allowed in checks)

    return matches


def _holds(find: Callable[[Opened], object], allowed: frozenset[tuple[type, object]], opened: Opened) -> bool:
    try:
        value = find(opened)
    except InvalidValueError:
        return False
    return type(value) in (str, int, bool) and (type(value), value) in allowed
