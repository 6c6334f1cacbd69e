"""The column types a stream may use: how each reads a JSON value and what Postgres calls it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

import msgspec

from maskline.records import Reason

_DECLARATION = re.compile(r"(?P<name>[a-z]+)(?:\((?P<numbers>[0-9]+(?:,\s*[0-9]+)?)\))?")
_INTEGER_LIMITS = {"integer": 2**31, "bigint": 2**63}

Reader = Callable[[object], object]


class InvalidValueError(Exception):
    """A value that a column does not take. The message never holds the value.

    Args:
        reason: Why, as a word to count by.
        detail: Why, to be read after the name of the field: ``"is longer than 32 characters"``.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class ColumnType(msgspec.Struct, frozen=True):
    """A Postgres type as a stream definition declares it, ``varchar(128)`` say.

    Attributes:
        declaration: The type as written, ready for a ``CREATE TABLE``.
        array: The type of an array of such values without length or precision, ready for a cast. (An explicit
            cast to ``varchar(128)`` cuts longer values off silently; the column itself refuses them.)
        max_length: The longest text it takes, in characters, or None.
        digits: How many digits a number may have before and after the point, or None.
    """

    declaration: str
    array: str
    max_length: int | None
    digits: tuple[int, int] | None = None

    @classmethod
    def parse(cls, declaration: str) -> ColumnType:
        """Read a declaration.

        Args:
            declaration: ``varchar(n)``, ``text``, ``integer``, ``bigint``, ``numeric``, ``numeric(p, s)``,
                ``boolean``, ``date`` or ``timestamptz``.

        Raises:
            ValueError: It is none of these.
        """
        match = _DECLARATION.fullmatch(declaration)
        name = match["name"] if match else ""
        numbers = [int(number) for number in match["numbers"].split(",")] if match and match["numbers"] else []
        takes = {"varchar": (1,), "numeric": (0, 1, 2)}.get(name, (0,))
        if name not in _READERS or len(numbers) not in takes or 0 in numbers[:1]:
            raise ValueError(
                f"type {declaration!r} is not one of varchar(n), text, integer, bigint, numeric, numeric(p, s), "
                "boolean, date, timestamptz"
            )
        if name == "numeric" and numbers:
            precision, scale = (*numbers, 0)[:2]
            return cls(declaration, f"{name}[]", None, (precision - scale, scale))
        return cls(declaration, f"{name}[]", numbers[0] if name == "varchar" else None)

    @property
    def is_text(self) -> bool:
        """Whether values are text, the only kind that can be masked."""
        return self.array in ("varchar[]", "text[]")

    def reader(self, max_length: int | None = None) -> Reader:
        """Return a function that turns a JSON value into one for the column, or raises `InvalidValueError`.

        Args:
            max_length: A limit in characters in place of the type's own; for a masked column the limit of the
                clear value is not that of the token.
        """
        read = _READERS[self.array.removesuffix("[]")]
        if self.digits is not None:
            return _numeric_reader(*self.digits)
        limit = max_length or self.max_length
        if not self.is_text or limit is None:
            return read

        def read_limited(value: object) -> object:
            text = _read_text(value)
            if len(text) > limit:
                raise InvalidValueError(Reason.TOO_LONG, f"is longer than {limit} characters")
            return text

        return read_limited


def _read_text(value: object) -> str:
    if type(value) is not str:
        raise _wrong_type("a string", value)
    if "\0" in value:
        raise InvalidValueError(Reason.INVALID_TEXT, "holds a NUL character, which Postgres cannot store")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValueError(Reason.INVALID_TEXT, "holds a lone surrogate, which is not Unicode text") from None
    return value


def _integer_reader(name: str) -> Reader:
    limit = _INTEGER_LIMITS[name]

    def read_integer(value: object) -> int:
        if type(value) is not int:
            raise _wrong_type("an integer", value)
        if not -limit <= value < limit:
            raise InvalidValueError(Reason.OUT_OF_RANGE, f"is out of the range of {name}")
        return value

    return read_integer


def _read_numeric(value: object) -> Decimal:
    if type(value) is int:
        return Decimal(value)
    if type(value) is not Decimal:
        raise _wrong_type("a number", value)
    return value


def _numeric_reader(before: int, after: int) -> Reader:
    def read_numeric(value: object) -> Decimal:
        number = _read_numeric(value)
        if number.adjusted() >= before and number:
            raise InvalidValueError(Reason.OUT_OF_RANGE, f"has more than {before} digits before the point")
        return _without_zeros_after(number, after)

    return read_numeric


def _without_zeros_after(number: Decimal, places: int) -> Decimal:
    """Return a number with at most so many digits after the point, the same number to the last digit.

    Decimal's own arithmetic (`round`, `quantize`, `%`) computes in a context of 28 digits, so digits are counted here.

    Raises:
        InvalidValueError: It has more digits, which Postgres would round away without a word.
    """
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "JSON has no NaN and no infinity"
    excess = -exponent - places
    if excess <= 0:
        return number
    if any(digits[-excess:]):
        raise InvalidValueError(Reason.OUT_OF_RANGE, f"has more than {places} digits after the point")
    return Decimal((sign, digits[:-excess] or (0,), -places))


def _read_boolean(value: object) -> bool:
    if type(value) is not bool:
        raise _wrong_type("true or false", value)
    return value


def _read_date(value: object) -> date:
    try:
        return date.fromisoformat(_read_text(value))
    except ValueError:
        raise InvalidValueError(Reason.WRONG_TYPE, "is not a date like 2026-01-31") from None


def _read_timestamp(value: object) -> datetime:
    text = _read_text(value)
    try:
        timestamp = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidValueError(Reason.WRONG_TYPE, "is not a time like 2026-01-31T12:00:00Z (RFC 3339)") from None
    if timestamp.tzinfo is None:
        raise InvalidValueError(Reason.WRONG_TYPE, "is a time without a zone; write 2026-01-31T12:00:00Z (RFC 3339)")
    return timestamp


def _wrong_type(expected: str, value: object) -> InvalidValueError:
    found = _JSON_NAMES.get(type(value), "something else")
    return InvalidValueError(Reason.WRONG_TYPE, f"is {found}, not {expected}")


_JSON_NAMES: dict[type, str] = {
    str: "a string",
    int: "an integer",
    Decimal: "a number",
    bool: "true or false",
    list: "an array",
    dict: "an object",
}

_READERS: dict[str, Reader] = {
    "varchar": _read_text,
    "text": _read_text,
    "integer": _integer_reader("integer"),
    "bigint": _integer_reader("bigint"),
    "numeric": _read_numeric,
    "boolean": _read_boolean,
    "date": _read_date,
    "timestamptz": _read_timestamp,
}
