"""How columns of dates and times read JSON values.

Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""

from __future__ import annotations

import re
import zoneinfo
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError, wrong_type
from maskline.streams.numbers import at_scale, number_from_text

ReadTime = Callable[[object], datetime]

_TIME = re.compile(
    r"(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ](?P<minute>[0-9]{2}:[0-9]{2}):(?P<second>[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]+))?(?P<zone>[Zz]|[+-][0-9]{2}:?[0-9]{2})?"
)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_FORMATS = {"epoch_s": 0, "epoch_ms": 3, "epoch_us": 6, "epoch_ns": 9}
"""Formats of times that count from 1970 on, each with the decimal places of a second that it counts in."""

_MAX_EPOCH_DIGITS = 12
"""How many digits the seconds of a year up to 9999 have."""


def read_date(value: object) -> date:
    """Read a ``date``, written ``2026-01-31``."""
    if type(value) is not str:
        raise wrong_type("a string", value)
    try:
        if _DATE.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise InvalidValueError(Reason.WRONG_TYPE, "is not a date like 2026-01-31")


def timestamp_reader(is_rounded: bool) -> ReadTime:
    """Return the reader of a ``timestamptz`` as RFC 3339 writes it, or with an offset without its colon.

    ``+0000`` is what CloudWatch writes, and Java's Jackson where nobody said otherwise.

    Args:
        is_rounded: Whether what is finer than a microsecond is rounded; refused otherwise.
    """

    def read_timestamp(value: object) -> datetime:
        match = _matched(value, "2026-01-31T12:00:00Z (RFC 3339)")
        if not match["zone"]:
            detail = "is a time without a zone; write 2026-01-31T12:00:00Z (RFC 3339)"
            raise InvalidValueError(Reason.WRONG_TYPE, detail)
        zone = "+00:00" if match["zone"] in "Zz" else f"{match['zone'][:3]}:{match['zone'][-2:]}"
        return _in_utc(match, zone, None, is_rounded)

    return read_timestamp


def local_time_reader(zone_name: str, is_rounded: bool) -> ReadTime:
    """Return the reader of a ``timestamptz`` that is written as the local time of one time zone.

    Of an hour that comes twice in autumn the first is taken; a time that clocks skip in spring is refused.

    Args:
        zone_name: The place as IANA names it, ``Europe/Berlin``.
        is_rounded: Whether what is finer than a microsecond is rounded; refused otherwise.

    Raises:
        ValueError: There is no such zone on this machine.
    """
    try:
        zone = zoneinfo.ZoneInfo(zone_name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"the time zone {zone_name!r} is not known here; write one like local:Europe/Berlin") from None

    def read_local_time(value: object) -> datetime:
        match = _matched(value, "2026-01-31T12:00:00")
        if match["zone"]:
            raise InvalidValueError(Reason.WRONG_TYPE, "is a time with a zone, and local times have none")
        return _in_utc(match, "", zone, is_rounded)

    return read_local_time


def epoch_reader(name: str, is_rounded: bool) -> ReadTime:
    """Return the reader of a ``timestamptz`` that is counted from 1970-01-01T00:00:00Z.

    The count is a number, or a string that holds one, as DynamoDB and message attributes have it.

    Args:
        name: One of `EPOCH_FORMATS`: seconds, or their thousandths, millionths or billionths.
        is_rounded: Whether what is finer than a microsecond is rounded; refused otherwise.
    """
    places = 6 - EPOCH_FORMATS[name]
    max_digits = _MAX_EPOCH_DIGITS + EPOCH_FORMATS[name]

    def read_epoch(value: object) -> datetime:
        count = number_from_text(value)
        if type(count) is not int and type(count) is not Decimal:
            raise wrong_type("a number", value)
        number = Decimal(count)
        if number and number.adjusted() >= max_digits:
            raise _out_of_range()
        whole, is_exact, is_half_or_more = at_scale(number, places)
        if not is_exact and not is_rounded:
            raise _too_fine()
        microseconds = int(whole.scaleb(places))
        if is_half_or_more:
            microseconds += -1 if number < 0 else 1
        try:
            return _EPOCH + timedelta(microseconds=microseconds)
        except OverflowError:
            raise _out_of_range() from None

    return read_epoch


def _matched(value: object, example: str) -> re.Match[str]:
    if type(value) is not str:
        raise wrong_type("a string", value)
    if match := _TIME.fullmatch(value):
        return match
    raise InvalidValueError(Reason.WRONG_TYPE, f"is not a time like {example}")


def _in_utc(match: re.Match[str], offset: str, zone: tzinfo | None, is_rounded: bool) -> datetime:
    fraction = match["fraction"] or ""
    microseconds = int(fraction[:6].ljust(6, "0"))
    finer = fraction[6:].rstrip("0")
    if finer and not is_rounded:
        raise _too_fine()
    is_leap_second = match["second"] == "60"
    second = "59" if is_leap_second else match["second"]
    try:
        written = datetime.fromisoformat(f"{match['date']}T{match['minute']}:{second}{offset}")
    except ValueError:
        raise InvalidValueError(Reason.WRONG_TYPE, "is a time that no calendar or clock has") from None
    try:
        utc = written.replace(tzinfo=zone or written.tzinfo).astimezone(UTC)
        if zone and utc.astimezone(zone).replace(tzinfo=None) != written:
            raise InvalidValueError(Reason.OUT_OF_RANGE, "is a time that the clocks there skip")
        if is_leap_second and (utc.hour, utc.minute) != (23, 59):
            raise InvalidValueError(Reason.WRONG_TYPE, "is a time that no calendar or clock has")
        rounded_up = 1 if finer >= "5" else 0
        return utc + timedelta(seconds=int(is_leap_second), microseconds=microseconds + rounded_up)
    except OverflowError:
        raise _out_of_range() from None


def _too_fine() -> InvalidValueError:
    return InvalidValueError(Reason.OUT_OF_RANGE, "is finer than a microsecond (round = true rounds it)")


def _out_of_range() -> InvalidValueError:
    return InvalidValueError(Reason.OUT_OF_RANGE, "is outside the years 1 to 9999 in UTC")
