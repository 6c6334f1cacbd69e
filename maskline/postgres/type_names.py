"""Names of types as the catalog writes them, and which type takes the values of which.

Source: https://www.postgresql.org/docs/current/datatype.html
"""

from __future__ import annotations

import re

import msgspec

_SHORT_NAMES = {
    "character varying": "varchar",
    "character(": "char(",
    "timestamp with time zone": "timestamptz",
}
_TYPE = re.compile(r"(?P<name>[^(\[]+?)\s*(?:\((?P<numbers>[0-9, ]+)\))?(?P<array>\[\])?")
_INTEGERS = ("smallint", "integer", "bigint")
_TEXTS = ("varchar", "text")
_PADDED_TEXT = "char"
_MAX_LENGTH = 1 << 30
_MAX_DIGITS = 1 << 20


class _Type(msgspec.Struct, frozen=True):
    name: str
    numbers: tuple[int, ...]
    is_array: bool


def short_name(declared: str) -> str:
    """Return a type as definitions write it.

    Args:
        declared: The type as ``format_type`` writes it, with quotation marks where the server is set to write them.
    """
    declared = declared.replace('"', "")
    for long_name, name in _SHORT_NAMES.items():
        declared = declared.replace(long_name, name)
    return declared


def takes(found: str, needed: str) -> bool:
    """Return whether a column of one type takes all values of another: of the same type, or of a narrower one.

    Args:
        found: The type of the column, by its short name.
        needed: The type of the values.
    """
    if found == needed:
        return True
    column, values = _parsed(found), _parsed(needed)
    if column is None or values is None or column.is_array != values.is_array:
        return False
    if column.name in _TEXTS and values.name in (*_TEXTS, _PADDED_TEXT):
        return _length(column) >= _length(values)
    if column.name in _INTEGERS and values.name in _INTEGERS:
        return _INTEGERS.index(column.name) >= _INTEGERS.index(values.name)
    if column.name == values.name == "numeric":
        return all(have >= need for have, need in zip(_digits(column), _digits(values), strict=True))
    return column.name == values.name and column.numbers == values.numbers


def widens_in_place(found: str, needed: str) -> bool:
    """Return whether Postgres can change a column from one type to the other without reading its rows.

    Args:
        found: The type of the column, by its short name.
        needed: A type that takes its values.
    """
    column, values = _parsed(found), _parsed(needed)
    if column is None or values is None or column.is_array or not takes(needed, found):
        return False
    if column.name in _TEXTS or values.name in _TEXTS:
        return column.name in _TEXTS
    # Digits behind the point are stored, those before it are not.
    return column.name == values.name == "numeric" and (not values.numbers or _digits(column)[1] == _digits(values)[1])


def _parsed(declared: str) -> _Type | None:
    match = _TYPE.fullmatch(declared)
    if match is None:
        return None
    numbers = tuple(int(number) for number in (match["numbers"] or "").split(",") if number.strip())
    return _Type(match["name"], numbers, bool(match["array"]))


def _length(text: _Type) -> int:
    return text.numbers[0] if text.numbers else _MAX_LENGTH


def _digits(number: _Type) -> tuple[int, int]:
    """Return how many digits there may be before and behind the point; ``numeric(38)`` is ``numeric(38,0)``."""
    if not number.numbers:
        return _MAX_DIGITS, _MAX_DIGITS
    precision, scale = (*number.numbers, 0)[:2]
    return precision - scale, scale
