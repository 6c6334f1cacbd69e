"""How columns of numbers read JSON values, exact to the last digit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TypeAlias

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError, wrong_type

Number: TypeAlias = int | Decimal
"""A number as the JSON reader gives it: `Decimal` where there is a fraction or an exponent."""

MAX_DIGITS_BEFORE = 131_072
MAX_DIGITS_AFTER = 16_383
"""What a numeric without precision holds: https://www.postgresql.org/docs/current/datatype-numeric.html"""

_INTEGER_LIMITS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<rest>(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)")


def integer_reader(name: str) -> Callable[[object], int]:
    """Return the reader of ``smallint``, ``integer`` or ``bigint``."""
    limit = _INTEGER_LIMITS[name]

    def read_integer(value: object) -> int:
        if type(value) is not int:
            raise wrong_type("an integer", value)
        if not -limit <= value < limit:
            raise InvalidValueError(Reason.OUT_OF_RANGE, f"is out of the range of {name}")
        return value

    return read_integer


def numeric_reader(before: int, after: int) -> Callable[[object], Decimal]:
    """Return the reader of a ``numeric``.

    Args:
        before: How many digits it may have before the point.
        after: How many it may have after the point; zeros that do not fit are left out.
    """

    def read_numeric(value: object) -> Decimal:
        number = Decimal(_number(value))
        if number.adjusted() >= before and number:
            raise InvalidValueError(Reason.OUT_OF_RANGE, f"has more than {before} digits before the point")
        whole, is_exact, _ = at_scale(number, after)
        if not is_exact:
            # Postgres would round it without a word.
            raise InvalidValueError(Reason.OUT_OF_RANGE, f"has more than {after} digits after the point")
        return whole

    return read_numeric


def read_double(value: object) -> float:
    """Read a ``double precision``, the nearest one to the number."""
    try:
        number = float(_number(value))
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise InvalidValueError(Reason.OUT_OF_RANGE, "is out of the range of double precision")
    return number


def number_from_text(value: object) -> object:
    """Return the number that a string holds (``format = "number"``), and any other value as it is.

    Raises:
        InvalidValueError: The string is not a number as JSON writes it.
    """
    if type(value) is not str:
        return value
    match = _JSON_NUMBER.fullmatch(value)
    if not match:
        raise InvalidValueError(Reason.WRONG_TYPE, "is a string that holds no number as JSON writes it")
    try:
        return Decimal(value) if match["rest"] else int(value)
    except (InvalidOperation, ValueError):
        raise InvalidValueError(Reason.OUT_OF_RANGE, "holds a number of too many digits") from None


def text_from_number(value: object) -> object:
    """Return the JSON text of a number or a truth value (``format = "text"``), and any other value as it is."""
    if type(value) is bool:
        return "true" if value else "false"
    return str(value) if type(value) in (int, Decimal) else value


def at_scale(number: Decimal, places: int) -> tuple[Decimal, bool, bool]:
    """Cut a number off after so many digits behind the decimal point.

    Decimal's own arithmetic (`round`, `quantize`, `%`) computes in a context of 28 digits, so digits are counted here.

    Args:
        number: A finite number of any length.
        places: How many digits to keep behind the point; -3 keeps thousands.

    Returns:
        The number that is left, whether nothing but zeros was cut off, and whether what was cut off is a half or more.
    """
    sign, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int), "JSON has no NaN and no infinity"
    excess = -exponent - places
    if excess <= 0:
        # A zero is written out: its exponent, unlike that of other numbers, can be too large for Postgres to read.
        return (number if number or exponent <= 0 else Decimal(0)), True, False
    cut_off = digits[-excess:]
    is_half_or_more = excess <= len(digits) and digits[-excess] >= 5
    return Decimal((sign, digits[:-excess] or (0,), -places)), not any(cut_off), is_half_or_more


def _number(value: object) -> Number:
    if type(value) is int or type(value) is Decimal:
        return value
    raise wrong_type("a number", value)
