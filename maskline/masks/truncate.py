"""``truncate:…``: a part of the value in clear, and the rest left out. Nothing brings it back.

===================  ==============================================================================================
``ip/24,48``         the network: so many bits of an IPv4 address, so many of an IPv6 address
``date/month``       the first day of the month, ``2026-01`` where it is text; ``date/year`` likewise
``number/1000``      the largest multiple of 1000 that is not larger
``keep/last4``       the last four characters, and nothing of a value that has no more; ``keep/first4`` likewise
===================  ==============================================================================================
"""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import ClassVar, Literal, Protocol, TypeAlias

import msgspec

EXAMPLES = "truncate:ip/24,48, truncate:date/month, truncate:number/1000, truncate:keep/last4"

TruncatedKind: TypeAlias = Literal["ip", "date", "number", "keep"]


class Truncation(Protocol):
    """What is kept of a value."""

    @property
    def kind(self) -> TruncatedKind:
        """What its values are."""

    @property
    def max_length(self) -> int | None:
        """How many characters it takes where it is text, or None where it is none."""

    def truncate(self, value: object) -> object:
        """Return what is kept of a value.

        Raises:
            ValueError: It is no value of this kind; the message says what it is not, and repeats nothing of it.
        """


def parse_truncation(text: str | None) -> Truncation:
    """Read what stands behind ``truncate:``.

    Raises:
        ValueError: `text` names none of the truncations above.
    """
    kind, _, parameter = (text or "").partition("/")
    known = {"ip": _ip_prefix, "date": _date_part, "number": _number_bucket, "keep": _kept_characters}
    truncation = known[kind](parameter) if kind in known else None
    if truncation is None:
        raise ValueError(f"mask 'truncate:{text or ''}' is not known; write one of {EXAMPLES}")
    return truncation


class _IpPrefix(msgspec.Struct, frozen=True):
    bits_of_4: int
    bits_of_6: int

    kind: ClassVar[TruncatedKind] = "ip"
    max_length: ClassVar[int] = len("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128")

    def truncate(self, value: object) -> object:
        address = _address(str(value))
        bits = self.bits_of_4 if address.version == 4 else self.bits_of_6
        host_bits = address.max_prefixlen - bits
        network = type(address)(int(address) >> host_bits << host_bits)
        return f"{network}/{bits}"


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text.strip())
    except ValueError:
        raise ValueError("is not an IP address, so its network is not known") from None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped


def _ip_prefix(parameter: str) -> Truncation | None:
    match = re.fullmatch(r"([0-9]{1,2}),([0-9]{1,3})", parameter)
    if match is None:
        return None
    bits_of_4, bits_of_6 = int(match[1]), int(match[2])
    return _IpPrefix(bits_of_4, bits_of_6) if bits_of_4 < 32 and bits_of_6 < 128 else None


class _DatePart(msgspec.Struct, frozen=True):
    part: Literal["month", "year"]

    kind: ClassVar[TruncatedKind] = "date"

    @property
    def max_length(self) -> int:
        return len("2026-01" if self.part == "month" else "2026")

    def truncate(self, value: object) -> object:
        if not isinstance(value, date):
            raise ValueError("is not a date, so its month and year are not known")
        first = value.replace(day=1) if self.part == "month" else value.replace(month=1, day=1)
        return first.replace(hour=0, minute=0, second=0, microsecond=0) if isinstance(first, datetime) else first

    def text(self, value: date) -> str:
        """Return what is kept as text."""
        return value.isoformat()[: self.max_length]


def truncated_date_text(truncation: Truncation, value: date) -> str:
    """Return what a column of text keeps of a date, ``2026-01`` or ``2026``."""
    assert isinstance(truncation, _DatePart), "only dates have a text of their own"
    return truncation.text(value)


def _date_part(parameter: str) -> Truncation | None:
    if parameter == "month":
        return _DatePart("month")
    return _DatePart("year") if parameter == "year" else None


class _NumberBucket(msgspec.Struct, frozen=True):
    bucket: Decimal

    kind: ClassVar[TruncatedKind] = "number"
    max_length: ClassVar[None] = None

    def truncate(self, value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            raise ValueError("is not a number, so its bucket is not known")
        if isinstance(value, int) and self.is_whole:
            return value - value % int(self.bucket)
        _, digits, exponent = self.bucket.as_tuple()
        assert isinstance(exponent, int), "a bucket is finite"
        # By integers alone, for decimals of any precision would be rounded.
        multiple = math.floor(Fraction(value) / Fraction(self.bucket)) * int("".join(map(str, digits)))
        floor = Decimal((int(multiple < 0), tuple(map(int, str(abs(multiple)))), exponent))
        return floor if isinstance(value, Decimal) else type(value)(floor)

    @property
    def is_whole(self) -> bool:
        """Whether its multiples are integers."""
        return self.bucket == self.bucket.to_integral_value()


def has_whole_bucket(truncation: Truncation) -> bool:
    """Return whether what is kept of a number is an integer, as a column of integers needs it."""
    return isinstance(truncation, _NumberBucket) and truncation.is_whole


def _number_bucket(parameter: str) -> Truncation | None:
    if not re.fullmatch(r"[0-9]{1,30}(?:\.[0-9]{1,30})?", parameter):
        return None
    try:
        bucket = Decimal(parameter)
    except InvalidOperation:
        return None
    return _NumberBucket(bucket) if bucket > 0 else None


class _KeptCharacters(msgspec.Struct, frozen=True):
    count: int
    is_first: bool

    kind: ClassVar[TruncatedKind] = "keep"

    @property
    def max_length(self) -> int:
        return self.count

    def truncate(self, value: object) -> object:
        text = str(value)
        if len(text) <= self.count:
            return ""
        return text[: self.count] if self.is_first else text[-self.count :]


def _kept_characters(parameter: str) -> Truncation | None:
    match = re.fullmatch(r"(first|last)([1-9][0-9]{0,3})", parameter)
    return _KeptCharacters(int(match[2]), match[1] == "first") if match else None
