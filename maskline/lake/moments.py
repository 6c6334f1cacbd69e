"""Dates and times as the lake counts them, in Postgres's words: Python knows no years beyond 9999, nor before 1."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_EPOCH_DAY = date(1970, 1, 1).toordinal()
_DAYS_PER_CYCLE, _YEARS_PER_CYCLE = 146_097, 400
"""After which the calendar is the same again."""
_MICROSECONDS_PER_DAY = 86_400_000_000


def date_text(days: int) -> str:
    """Return a date as Postgres reads it.

    Args:
        days: Days since 1970-01-01.

    Source: https://www.postgresql.org/docs/current/datatype-datetime.html#DATATYPE-DATETIME-INPUT
    """
    return "".join(_date_parts(days))


def moment_text(microseconds: int) -> str:
    """Return a time as Postgres reads it.

    Args:
        microseconds: Microseconds since 1970-01-01T00:00:00Z.
    """
    days, rest = divmod(microseconds, _MICROSECONDS_PER_DAY)
    day, era = _date_parts(days)
    return f"{day} {(EPOCH + timedelta(microseconds=rest)):%H:%M:%S.%f}+00{era}"


def _date_parts(days: int) -> tuple[str, str]:
    cycles, place = divmod(days + _EPOCH_DAY - 1, _DAYS_PER_CYCLE)
    day = date.fromordinal(place + 1)
    year = day.year + cycles * _YEARS_PER_CYCLE
    return f"{year if year > 0 else 1 - year:04}-{day:%m-%d}", "" if year > 0 else " BC"
