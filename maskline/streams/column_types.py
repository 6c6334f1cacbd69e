"""The column types a stream may use: how each reads a JSON value and what Postgres calls it."""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable

import msgspec

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError, wrong_type
from maskline.streams.json_text import encode_json
from maskline.streams.numbers import (
    MAX_DIGITS_AFTER,
    MAX_DIGITS_BEFORE,
    integer_reader,
    number_from_text,
    numeric_reader,
    read_double,
    text_from_number,
)
from maskline.streams.times import EPOCH_FORMATS, epoch_reader, local_time_reader, read_date, timestamp_reader

Reader = Callable[[object], object]
"""Turns a JSON value, which is not null, into one for the column, or raises `InvalidValueError`."""

MAX_PRECISION = 1000
MAX_VARCHAR = 10_485_760
TYPES = (
    "varchar(n), text, char(n), smallint, integer, bigint, numeric, numeric(p, s), double precision, boolean, date, "
    "timestamptz, uuid, inet, bytea, jsonb, or an array of one of them but jsonb, text[]"
)
TEXT_TYPES = frozenset({"varchar", "text", "char"})
FREE_TYPES = TEXT_TYPES | {"jsonb", "bytea", "inet"}
NUMBER_TYPES = frozenset({"smallint", "integer", "bigint", "numeric", "double precision"})

_DECLARATION = re.compile(
    r"(?P<name>[a-z]+(?: precision)?)(?:\((?P<numbers>[0-9]{1,9}(?:,\s*[0-9]{1,9})?)\))?(?P<array>\[\])?"
)
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


class ColumnType(msgspec.Struct, frozen=True):
    """A Postgres type as a stream definition declares it, ``varchar(128)`` say.

    Attributes:
        declaration: The type as written, ready for a ``CREATE TABLE``.
        array: The type of an array of such values without length or precision, ready for a cast. (An explicit
            cast to ``varchar(128)`` cuts longer values off silently; the column itself refuses them.) Of an array it
            is ``text[][]``.
        name: The type without length or precision, that of the elements where it is an array.
        max_length: The longest text it takes, or the longest of an array's, in characters, or None.
        digits: How many digits a number may have before and after the point, or None.
        is_array: Whether it is an array.
    """

    declaration: str
    array: str
    name: str
    max_length: int | None = None
    digits: tuple[int, int] | None = None
    is_array: bool = False

    @classmethod
    def parse(cls, declaration: str) -> ColumnType:
        """Read a declaration.

        Args:
            declaration: One of `TYPES`.

        Raises:
            ValueError: The declaration names none of these types.
        """
        match = _DECLARATION.fullmatch(declaration)
        name = match["name"] if match else ""
        is_array = bool(match and match["array"])
        numbers = [int(number) for number in match["numbers"].split(",")] if match and match["numbers"] else []
        takes = {"varchar": (1,), "char": (1,), "numeric": (0, 1, 2)}.get(name, (0,))
        if name not in _NAMES or len(numbers) not in takes or 0 in numbers[:1] or (is_array and name == "jsonb"):
            raise ValueError(f"type {declaration!r} is not one of {TYPES}")
        digits = None
        if name == "numeric" and numbers:
            precision, scale = (*numbers, 0)[:2]
            if precision > MAX_PRECISION or scale > precision:
                raise ValueError(f"type {declaration!r} has more than 1,000 digits, or more behind the point than all")
            digits = (precision - scale, scale)
            if len(numbers) == 1:  # as the catalog calls it
                declaration = f"numeric({precision}, 0){'[]' if is_array else ''}"
        if name in ("varchar", "char") and numbers[0] > MAX_VARCHAR:
            raise ValueError(f"type {declaration!r} is longer than Postgres's longest {name}; write text")
        max_length = numbers[0] if name in ("varchar", "char") else None
        element = "bpchar" if name == "char" else name  # a cast to char alone is one to char(1)
        return cls(declaration, f"{element}[][]" if is_array else f"{element}[]", name, max_length, digits, is_array)

    @property
    def is_text(self) -> bool:
        """Whether values, or the elements of an array, are text, the only kind that can hold a token."""
        return self.name in TEXT_TYPES

    @property
    def is_free(self) -> bool:
        """Whether values can be any text or identify a person, so that a column in clear has to say that it is."""
        return self.name in FREE_TYPES

    def reader(self, max_length: int | None = None, format: str | None = None, is_rounded: bool = False) -> Reader:  # noqa: A002
        """Return a function that turns a JSON value into one for the column; for an array, one of its elements.

        Args:
            max_length: A limit in characters in place of the type's own; for a masked column the limit of the
                clear value is not that of the token.
            format: How the value is written where it is not JSON's own way: one of `EPOCH_FORMATS`, ``local:ZONE``,
                ``text``, ``number``.
            is_rounded: Whether a time finer than a microsecond is rounded; refused otherwise.

        Raises:
            ValueError: The type cannot be read in this format.
        """
        read = self._plain_reader(max_length, is_rounded)
        if format is None:
            if is_rounded and self.name != "timestamptz":
                raise ValueError("round goes with a timestamptz")
            return read
        if format == "text" and self.is_text:
            return lambda value: read(text_from_number(value))
        if format == "number" and self.name in NUMBER_TYPES:
            return lambda value: read(number_from_text(value))
        if self.name == "timestamptz" and format in EPOCH_FORMATS:
            return epoch_reader(format, is_rounded)
        if self.name == "timestamptz" and format.startswith("local:"):
            return local_time_reader(format.removeprefix("local:"), is_rounded)
        raise ValueError(
            f"format {format!r} does not go with {self.declaration}; epoch_s, epoch_ms, epoch_us, epoch_ns and "
            "local:ZONE go with timestamptz, text with varchar(n) and text, number with types of numbers"
        )

    def _plain_reader(self, max_length: int | None, is_rounded: bool) -> Reader:
        if self.is_text:
            return _text_reader(max_length or self.max_length)
        if self.name == "numeric":
            return numeric_reader(*(self.digits or (MAX_DIGITS_BEFORE, MAX_DIGITS_AFTER)))
        if self.name == "timestamptz":
            return timestamp_reader(is_rounded)
        return _READERS[self.name]


def _text_reader(limit: int | None) -> Reader:
    if limit is None:
        return read_text

    def read_limited(value: object) -> str:
        text = read_text(value)
        if len(text) > limit:
            raise InvalidValueError(Reason.TOO_LONG, f"is longer than {limit} characters")
        return text

    return read_limited


def read_text(value: object) -> str:
    """Return a text that Postgres can store."""
    if type(value) is not str:
        raise wrong_type("a string", value)
    if "\0" in value:
        raise InvalidValueError(Reason.INVALID_TEXT, "holds a NUL character, which Postgres cannot store")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise InvalidValueError(Reason.INVALID_TEXT, "holds a lone surrogate, which is not Unicode text") from None
    return value


def _read_boolean(value: object) -> bool:
    if type(value) is not bool:
        raise wrong_type("true or false", value)
    return value


def _read_uuid(value: object) -> str:
    if type(value) is not str:
        raise wrong_type("a string", value)
    if not _UUID.fullmatch(value):
        raise InvalidValueError(Reason.WRONG_TYPE, "is not a UUID like 6f9619ff-8b86-4011-b42d-00c04fc964ff")
    return value.lower()


def _read_inet(value: object) -> str:
    if type(value) is not str:
        raise wrong_type("a string", value)
    address, _, prefix = value.partition("/")
    try:
        if "%" not in address and ((prefix.isdecimal() and prefix.isascii()) or "/" not in value):
            return str(ipaddress.ip_interface(value) if prefix else ipaddress.ip_address(value))
    except ValueError:
        pass
    raise InvalidValueError(Reason.WRONG_TYPE, "is not an IP address like 203.0.113.7, 2001:db8::1 or 203.0.113.0/24")


def _read_bytes(value: object) -> bytes:
    if type(value) is not str:
        raise wrong_type("a string", value)
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidValueError(Reason.WRONG_TYPE, "is not base64, which bytes have to be in JSON") from None


_READERS: dict[str, Reader] = {
    "smallint": integer_reader("smallint"),
    "integer": integer_reader("integer"),
    "bigint": integer_reader("bigint"),
    "double precision": read_double,
    "boolean": _read_boolean,
    "date": read_date,
    "uuid": _read_uuid,
    "inet": _read_inet,
    "bytea": _read_bytes,
    "jsonb": encode_json,
}
_NAMES = {*_READERS, *TEXT_TYPES, "numeric", "timestamptz"}
