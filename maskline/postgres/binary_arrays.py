"""Arrays in Postgres's own binary form, which the server need not parse.

Source: https://github.com/postgres/postgres/blob/master/src/backend/utils/adt/arrayfuncs.c, ``array_recv``
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format

from maskline.postgres.arrays import array_literal

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MICROSECONDS_PER_DAY = 86_400_000_000

_HEADER = struct.Struct(">iiIii")
"""How many dimensions, whether there are NULLs, the type of the elements, how many there are, and the first index."""


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


def microseconds(moments: Sequence[datetime]) -> list[int]:
    """Return moments as Postgres counts them: in microseconds since the year 2000, UTC.

    Args:
        moments: Dates and times with a zone.
    """
    return [(moment - _EPOCH) // _MICROSECOND for moment in moments]


def timestamptz_array(moments: Sequence[int]) -> BinaryArray:
    """Return an array of type ``timestamptz[]``.

    Args:
        moments: What `microseconds` returns.
    """
    return _array_of_numbers("timestamptz", "q", moments)


def date_array(moments: Sequence[int]) -> BinaryArray:
    """Return an array of type ``date[]``, of the UTC dates of moments.

    Args:
        moments: What `microseconds` returns.
    """
    return _array_of_numbers("date", "i", [moment // _MICROSECONDS_PER_DAY for moment in moments])


def bigint_array(numbers: Sequence[int]) -> BinaryArray:
    """Return an array of type ``bigint[]``.

    Args:
        numbers: From -2**63 to 2**63 - 1.
    """
    return _array_of_numbers("int8", "q", numbers)


def text_array(element: str, values: Sequence[object]) -> BinaryArray | str:
    """Return an array of texts: in binary form, or in text form where a value is not ASCII, is NULL or holds a NUL.

    Args:
        element: The type of its elements, ``text`` or ``varchar``.
        values: As for `array_literal`.
    """
    try:
        joined = "".join(values)  # type: ignore[arg-type]
    except TypeError:
        return array_literal(values)
    if not joined.isascii() or "\0" in joined:
        return array_literal(values)
    lengths_and_texts = [""] * (2 * len(values))
    lengths_and_texts[::2] = map(_length, map(len, values))  # type: ignore[arg-type]
    lengths_and_texts[1::2] = values  # type: ignore[assignment]
    return BinaryArray(_header(element, len(values)) + "".join(lengths_and_texts).encode("latin-1"))


@functools.lru_cache(maxsize=1_024)
def _length(length: int) -> str:
    """Return the four bytes of a length, each as the character that Latin-1 makes a byte of."""
    return length.to_bytes(4, "big").decode("latin-1")


def _array_of_numbers(element: str, code: str, numbers: Sequence[int]) -> BinaryArray:
    count = len(numbers)
    lengths_and_numbers = [struct.calcsize(f">{code}")] * (2 * count)
    lengths_and_numbers[1::2] = numbers
    return BinaryArray(_header(element, count) + struct.pack(">" + f"i{code}" * count, *lengths_and_numbers))


def _header(element: str, count: int) -> bytes:
    return _HEADER.pack(1, 0, types[element].oid, count, 1)
