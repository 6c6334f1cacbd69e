"""Names of columns, made of the names that messages have."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence

from maskline.streams.column_file import is_identifier
from maskline.streams.stream import JOB_COLUMNS, WRITTEN_IN

_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})
MAX_LENGTH = 63
MASKED = "masked_"
_BOUNDARY = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")


def identifier(text: str) -> str:
    """Return a name that Postgres takes without quotes, as near to a text as it can be.

    Args:
        text: Any text.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    joined = "_".join(filter(None, _BOUNDARY.split(plain))).lower()
    named = joined if is_identifier(joined[:MAX_LENGTH]) else f"field_{joined}".rstrip("_")
    return named[:MAX_LENGTH]


def column_name(names: Sequence[str], is_masked: bool, taken: Collection[str]) -> str:
    """Return a name for a column that no other one has.

    Args:
        names: The names on the way to its field; none for the record itself.
        is_masked: Whether it holds tokens, which its name is to say.
        taken: The names of the others.
    """
    base = identifier("_".join(names)) if names else "document"
    if is_masked and not base.startswith(MASKED):
        base = f"{MASKED}{base}"[:MAX_LENGTH]
    elif not is_masked and (base.startswith(MASKED) or base in {*JOB_COLUMNS, WRITTEN_IN, *_SYSTEM_COLUMNS}):
        base = f"field_{base}"[:MAX_LENGTH]
    name, number = base, 1
    while name in taken:
        number += 1
        suffix = f"_{number}"
        name = base[: MAX_LENGTH - len(suffix)] + suffix
    return name
