"""Arrays in Postgres's own binary form, which the server need not parse.

Source: https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c, ``array_recv``
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format

from maskline.postgres.arrays import array_literal

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_HEADER = struct.Struct(">iiIii")
"""How many dimensions, whether there are NULLs, the type of the elements, how many there are, and the first index."""


def _length(length: int) -> str:
    """Return the four bytes of a length, each as the character that Latin-1 makes a byte of."""
    return length.to_bytes(4, "big", signed=True).decode("latin-1")


_NULL = _length(-1)
_SHORT_LENGTHS = [_length(length) for length in range(1_024)]


class BinaryArray(msgspec.Struct, frozen=True):
    """An array, to be a parameter that is cast: ``$1::bigint[]``.

    Attributes:
        data: Its binary form.
    """

    data: bytes


class BinaryArrayDumper(Dumper):
    """Passes the binary form of an array to the server unchanged."""

    format = Format.BINARY

    def dump(self, obj: BinaryArray) -> bytes:
        """Return the array's binary form."""
        return obj.data


def since_2000(moments: Iterable[datetime]) -> list[timedelta]:
    """Return how long moments are after the begin of 2000, UTC, from which Postgres counts.

    Args:
        moments: Dates and times with a zone.
    """
    return [moment - _EPOCH for moment in moments]


def timestamptz_array(moments: Sequence[timedelta]) -> BinaryArray:
    """Return an array of type ``timestamptz[]``.

    Args:
        moments: What `since_2000` returns.
    """
    return _array_of_numbers("timestamptz", "q", [moment // _MICROSECOND for moment in moments])


def date_array(moments: Sequence[timedelta]) -> BinaryArray:
    """Return an array of type ``date[]``, of the UTC dates of moments.

    Args:
        moments: What `since_2000` returns.
    """
    return _array_of_numbers("date", "i", [moment.days for moment in moments])


def bigint_array(numbers: Sequence[int]) -> BinaryArray:
    """Return an array of type ``bigint[]``.

    Args:
        numbers: From -2**63 to 2**63 - 1.
    """
    return _array_of_numbers("int8", "q", numbers)


def text_array(element: str, values: Sequence[object]) -> BinaryArray | str:
    """Return an array of texts: in binary form, or in text form where a value is not ASCII, holds a NUL or is a list.

    Args:
        element: The type of its elements, ``text`` or ``varchar``.
        values: As for `array_literal`.
    """
    has_nulls = None in values
    texts: Sequence[Any] = ["" if value is None else value for value in values] if has_nulls else values
    try:
        joined = "".join(texts)
    except TypeError:
        return array_literal(values)
    if not joined.isascii() or "\0" in joined:
        return array_literal(values)
    try:
        lengths = [_SHORT_LENGTHS[len(text)] for text in texts]
    except IndexError:
        lengths = [_length(len(text)) for text in texts]
    if has_nulls:
        lengths = [_NULL if value is None else length for value, length in zip(values, lengths, strict=True)]
    lengths_and_texts = [""] * (2 * len(texts))
    lengths_and_texts[::2] = lengths
    lengths_and_texts[1::2] = texts
    return BinaryArray(_header(element, len(texts), has_nulls) + "".join(lengths_and_texts).encode("latin-1"))


def _array_of_numbers(element: str, code: str, numbers: Sequence[int]) -> BinaryArray:
    size, count = struct.calcsize(f">{code}"), len(numbers)
    header = _header(element, count)
    if len(set(numbers)) == 1:  # as the keys and the days of a micro-batch nearly always are
        return BinaryArray(header + struct.pack(f">i{code}", size, numbers[0]) * count)
    lengths_and_numbers = [size] * (2 * count)
    lengths_and_numbers[1::2] = numbers
    return BinaryArray(header + struct.pack(">" + f"i{code}" * count, *lengths_and_numbers))


def _header(element: str, count: int, has_nulls: bool = False) -> bytes:
    return _HEADER.pack(1, has_nulls, types[element].oid, count, 1)
