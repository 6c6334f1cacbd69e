"""Times are read as RFC 3339 has them, to the microsecond, and nothing is rounded that nobody asked to round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.records import Reason
from maskline.streams.failures import InvalidValueError
from maskline.streams.times import epoch_reader, local_time_reader, timestamp_reader

READ = timestamp_reader(is_rounded=False)
ROUND = timestamp_reader(is_rounded=True)
BERLIN = local_time_reader("Europe/Berlin", is_rounded=False)
TOO_FINE = (Reason.OUT_OF_RANGE, "is finer than a microsecond (round = true rounds it)")
OUTSIDE = (Reason.OUT_OF_RANGE, "is outside the years 1 to 9999 in UTC")
NOT_ON_A_CLOCK = (Reason.WRONG_TYPE, "is a time that no calendar or clock has")
NOT_A_TIME = (Reason.WRONG_TYPE, "is not a time like 2026-01-31T12:00:00Z (RFC 3339)")


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00Z", utc(2026, 1, 31, 12)),
        ("2026-01-31t12:00:00z", utc(2026, 1, 31, 12)),
        ("2026-01-31 12:00:00+02:00", utc(2026, 1, 31, 10)),
        ("2026-01-31T12:00:00-00:00", utc(2026, 1, 31, 12)),
        ("2026-01-31T12:00:00.1Z", utc(2026, 1, 31, 12, 0, 0, 100_000)),
        ("2026-01-31T12:00:00.123456Z", utc(2026, 1, 31, 12, 0, 0, 123_456)),
        ("2026-01-31T12:00:00.123456000Z", utc(2026, 1, 31, 12, 0, 0, 123_456)),
        ("2016-12-31T23:59:60Z", utc(2017, 1, 1)),
        ("2017-01-01T00:59:60.5+01:00", utc(2017, 1, 1, 0, 0, 0, 500_000)),
        ("0001-01-01T00:00:00Z", utc(1, 1, 1)),
        ("9999-12-31T23:59:59.999999Z", utc(9999, 12, 31, 23, 59, 59, 999_999)),
    ],
)
def test_a_time_is_read_as_the_rfc_has_it(text: str, time: datetime) -> None:
    assert READ(text) == time
    assert READ(text).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-01-31T12:00:00.1234567Z", TOO_FINE),
        ("0001-01-01T00:00:00+01:00", OUTSIDE),
        ("9999-12-31T23:59:59-08:00", OUTSIDE),
        ("2026-02-30T12:00:00Z", NOT_ON_A_CLOCK),
        ("0000-01-01T12:00:00Z", NOT_ON_A_CLOCK),
        ("2026-01-31T24:00:00Z", NOT_ON_A_CLOCK),
        ("2026-01-31T12:00:60Z", NOT_ON_A_CLOCK),
        ("2026-01-31T12:00:00+24:00", NOT_ON_A_CLOCK),
        ("20260131T120000Z", NOT_A_TIME),
        ("2026-W05-6T12:00:00Z", NOT_A_TIME),
        ("2026-01-31T12:00Z", NOT_A_TIME),
        ("2026-01-31T12:00:00,5Z", NOT_A_TIME),
        ("2026-01-31T12:00:00+0200", NOT_A_TIME),
        ("2026-01-31", NOT_A_TIME),
        ("٢٠٢٦-01-31T12:00:00Z", NOT_A_TIME),
        (1769860800, (Reason.WRONG_TYPE, "is an integer, not a string")),
    ],
)
def test_another_time_is_refused(text: object, why: tuple[Reason, str]) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        READ(text)

    assert (refusal.value.reason, refusal.value.detail) == why


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00.1234564999Z", utc(2026, 1, 31, 12, 0, 0, 123_456)),
        ("2026-01-31T12:00:00.1234565Z", utc(2026, 1, 31, 12, 0, 0, 123_457)),
        ("2026-12-31T23:59:59.9999999Z", utc(2027, 1, 1)),
    ],
)
def test_a_finer_time_is_rounded_where_the_definition_says_so(text: str, time: datetime) -> None:
    assert ROUND(text) == time


def test_a_time_that_is_rounded_out_of_the_calendar_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="outside the years 1 to 9999"):
        ROUND("9999-12-31T23:59:59.9999999Z")


@pytest.mark.parametrize(
    ("name", "number", "time"),
    [
        ("epoch_s", 1769860800, utc(2026, 1, 31, 12)),
        ("epoch_s", Decimal("1769860800.123456"), utc(2026, 1, 31, 12, 0, 0, 123_456)),
        ("epoch_s", Decimal("1.7698608E+9"), utc(2026, 1, 31, 12)),
        ("epoch_s", "1769860800.5", utc(2026, 1, 31, 12, 0, 0, 500_000)),
        ("epoch_ms", "1769860800000", utc(2026, 1, 31, 12)),
        ("epoch_s", -1, utc(1969, 12, 31, 23, 59, 59)),
        ("epoch_s", -62135596800, utc(1, 1, 1)),
        ("epoch_ms", 1769860800000, utc(2026, 1, 31, 12)),
        ("epoch_ms", Decimal("1769860800000.001"), utc(2026, 1, 31, 12, 0, 0, 1)),
        ("epoch_ms", Decimal("0E-999999"), utc(1970, 1, 1)),
        ("epoch_us", 1769860800123456, utc(2026, 1, 31, 12, 0, 0, 123_456)),
        ("epoch_us", Decimal("1.769860800123456E+15"), utc(2026, 1, 31, 12, 0, 0, 123_456)),
        ("epoch_ns", 1769860800123456000, utc(2026, 1, 31, 12, 0, 0, 123_456)),
        ("epoch_ns", -1000, utc(1969, 12, 31, 23, 59, 59, 999_999)),
        ("epoch_ns", 253402300799999999000, utc(9999, 12, 31, 23, 59, 59, 999_999)),
        ("epoch_ns", Decimal("2E+18"), utc(2033, 5, 18, 3, 33, 20)),
    ],
)
def test_a_count_since_1970_is_read_exactly(name: str, number: object, time: datetime) -> None:
    assert epoch_reader(name, is_rounded=False)(number) == time


@pytest.mark.parametrize(
    ("name", "number", "why"),
    [
        ("epoch_s", Decimal("0.0000001"), TOO_FINE),
        ("epoch_s", Decimal("1E-999999"), TOO_FINE),
        ("epoch_ms", Decimal("0.0001"), TOO_FINE),
        ("epoch_s", -62135596801, OUTSIDE),
        ("epoch_s", 253402300800, OUTSIDE),
        ("epoch_s", Decimal("1E+300"), OUTSIDE),
        ("epoch_ms", int("9" * 4000), OUTSIDE),
        ("epoch_us", Decimal("1769860800123456.5"), TOO_FINE),
        ("epoch_ns", 1769860800123456789, TOO_FINE),
        ("epoch_ns", 253402300800000000000, OUTSIDE),
        ("epoch_ns", Decimal("1E+300"), OUTSIDE),
        ("epoch_s", "", (Reason.WRONG_TYPE, "is a string that holds no number as JSON writes it")),
        ("epoch_s", "2026-01-31", (Reason.WRONG_TYPE, "is a string that holds no number as JSON writes it")),
        ("epoch_s", None, (Reason.WRONG_TYPE, "is null, not a number")),
        ("epoch_s", True, (Reason.WRONG_TYPE, "is true or false, not a number")),
    ],
)
def test_another_count_is_refused(name: str, number: object, why: tuple[Reason, str]) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        epoch_reader(name, is_rounded=False)(number)

    assert (refusal.value.reason, refusal.value.detail) == why


@pytest.mark.parametrize(("number", "microseconds"), [("0.0000005", 1), ("0.0000004", 0), ("-0.0000005", -1)])
def test_a_finer_count_is_rounded_where_the_definition_says_so(number: str, microseconds: int) -> None:
    expected = utc(1970, 1, 1) + timedelta(microseconds=microseconds)

    assert epoch_reader("epoch_s", is_rounded=True)(Decimal(number)) == expected
    assert epoch_reader("epoch_ns", is_rounded=True)(Decimal(number) * 10**9) == expected


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_every_time_comes_back_from_its_count(time: datetime) -> None:
    count = (time - datetime(1970, 1, 1)) // timedelta(microseconds=1)

    assert epoch_reader("epoch_s", is_rounded=False)(Decimal(count).scaleb(-6)) == time.replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2026-01-31T12:00:00", utc(2026, 1, 31, 11)),
        ("2026-07-31T12:00:00.5", utc(2026, 7, 31, 10, 0, 0, 500_000)),
        ("2026-10-25T02:30:00", utc(2026, 10, 25, 0, 30)),
    ],
)
def test_a_local_time_is_that_of_its_place_and_the_first_of_two(text: str, time: datetime) -> None:
    assert BERLIN(text) == time


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("2026-03-29T02:30:00", (Reason.OUT_OF_RANGE, "is a time that the clocks there skip")),
        ("2026-01-31T12:00:00Z", (Reason.WRONG_TYPE, "is a time with a zone, and local times have none")),
        ("0001-01-01T00:00:00", OUTSIDE),
    ],
)
def test_a_local_time_that_is_none_is_refused(text: str, why: tuple[Reason, str]) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        BERLIN(text)

    assert (refusal.value.reason, refusal.value.detail) == why


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "Europe"])
def test_a_zone_that_there_is_not_is_named(zone: str) -> None:
    with pytest.raises(ValueError, match="is not known here") as mistake:
        local_time_reader(zone, is_rounded=False)

    assert str(mistake.value) == f"the time zone {zone!r} is not known here; write one like local:Europe/Berlin"
