"""Which declarations are column types, and which JSON values each type takes."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from maskline.records import Reason
from maskline.streams.column_types import ColumnType
from maskline.streams.failures import InvalidValueError


@pytest.mark.parametrize(
    ("declaration", "array", "max_length", "is_text"),
    [
        ("varchar(128)", "varchar[]", 128, True),
        ("text", "text[]", None, True),
        ("integer", "integer[]", None, False),
        ("bigint", "bigint[]", None, False),
        ("numeric", "numeric[]", None, False),
        ("numeric(12, 2)", "numeric[]", None, False),
        ("numeric(12,2)", "numeric[]", None, False),
        ("boolean", "boolean[]", None, False),
        ("date", "date[]", None, False),
        ("timestamptz", "timestamptz[]", None, False),
    ],
)
def test_a_declaration_is_kept_and_cast_as_an_array_without_its_length(
    declaration: str, array: str, max_length: int | None, is_text: bool
) -> None:
    column_type = ColumnType.parse(declaration)

    assert (column_type.declaration, column_type.array, column_type.max_length) == (declaration, array, max_length)
    assert column_type.is_text is is_text


def test_a_numeric_without_a_scale_is_declared_as_the_catalog_has_it() -> None:
    assert ColumnType.parse("numeric(38)").declaration == "numeric(38, 0)"


@pytest.mark.parametrize(
    "declaration",
    [
        "",
        "varchar",
        "varchar()",
        "varchar(0)",
        "varchar(-1)",
        "varchar(1, 2)",
        "varchar(8); DROP TABLE user_logins",
        "varchar(8)\n",
        "VARCHAR(8)",
        "text(8)",
        "numeric(0)",
        "numeric(1, 2, 3)",
        "date(3)",
        "json",
        "timestamp",
        "integer[][]",
        "jsonb[]",
        "double",
        "numeric(2, 3)",
        "numeric(1001)",
        "varchar(10485761)",
        f"varchar({'9' * 5_000})",
    ],
)
def test_anything_else_is_not_a_type(declaration: str) -> None:
    with pytest.raises(ValueError, match="type "):
        ColumnType.parse(declaration)


def test_the_refusal_of_a_type_says_which_ones_there_are() -> None:
    with pytest.raises(ValueError, match="one of") as refusal:
        ColumnType.parse("json")

    assert str(refusal.value) == (
        "type 'json' is not one of varchar(n), text, char(n), smallint, integer, bigint, numeric, numeric(p, s), "
        "double precision, boolean, date, timestamptz, uuid, inet, bytea, jsonb, or an array of one of them "
        "but jsonb, text[]"
    )


@pytest.mark.parametrize(
    ("declaration", "value", "read"),
    [
        ("varchar(5)", "2.3.0", "2.3.0"),
        ("varchar(5)", "", ""),
        ("varchar(5)", "ééééé", "ééééé"),
        ("text", "a\tb\u2028 \U0001f600", "a\tb\u2028 \U0001f600"),
        ("integer", 2_147_483_647, 2_147_483_647),
        ("integer", -2_147_483_648, -2_147_483_648),
        ("bigint", 9_223_372_036_854_775_807, 9_223_372_036_854_775_807),
        ("bigint", -9_223_372_036_854_775_808, -9_223_372_036_854_775_808),
        ("numeric(12, 2)", 3, Decimal("3")),
        ("numeric", Decimal("0.10"), Decimal("0.10")),
        ("boolean", True, True),
        ("boolean", False, False),
        ("date", "2026-01-31", date(2026, 1, 31)),
        ("timestamptz", "2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        (
            "timestamptz",
            "2026-01-31T12:00:00+02:00",
            datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2))),
        ),
    ],
)
def test_a_value_of_its_type_is_read_as_it_is(declaration: str, value: object, read: object) -> None:
    result = ColumnType.parse(declaration).reader()(value)

    assert result == read
    assert type(result) is type(read)


@pytest.mark.parametrize(
    ("declaration", "value", "reason", "detail"),
    [
        ("varchar(5)", "2.3.00", Reason.TOO_LONG, "is longer than 5 characters"),
        ("varchar(5)", 23, Reason.WRONG_TYPE, "is an integer, not a string"),
        ("varchar(5)", Decimal("2.3"), Reason.WRONG_TYPE, "is a number, not a string"),
        ("varchar(5)", True, Reason.WRONG_TYPE, "is true or false, not a string"),
        ("varchar(5)", ["a"], Reason.WRONG_TYPE, "is an array, not a string"),
        ("varchar(5)", {"a": 1}, Reason.WRONG_TYPE, "is an object, not a string"),
        ("text", "a\0b", Reason.INVALID_TEXT, "holds a NUL character, which Postgres cannot store"),
        ("text", "a\ud800b", Reason.INVALID_TEXT, "holds a lone surrogate, which is not Unicode text"),
        ("varchar(5)", "\udfff", Reason.INVALID_TEXT, "holds a lone surrogate, which is not Unicode text"),
        ("integer", 2_147_483_648, Reason.OUT_OF_RANGE, "is out of the range of integer"),
        ("integer", -2_147_483_649, Reason.OUT_OF_RANGE, "is out of the range of integer"),
        ("integer", True, Reason.WRONG_TYPE, "is true or false, not an integer"),
        ("integer", "7", Reason.WRONG_TYPE, "is a string, not an integer"),
        ("integer", Decimal("7.0"), Reason.WRONG_TYPE, "is a number, not an integer"),
        ("bigint", 9_223_372_036_854_775_808, Reason.OUT_OF_RANGE, "is out of the range of bigint"),
        ("bigint", -9_223_372_036_854_775_809, Reason.OUT_OF_RANGE, "is out of the range of bigint"),
        ("numeric", "7", Reason.WRONG_TYPE, "is a string, not a number"),
        ("numeric", True, Reason.WRONG_TYPE, "is true or false, not a number"),
        ("boolean", 1, Reason.WRONG_TYPE, "is an integer, not true or false"),
        ("boolean", "true", Reason.WRONG_TYPE, "is a string, not true or false"),
        ("date", "31.01.2026", Reason.WRONG_TYPE, "is not a date like 2026-01-31"),
        ("date", "2026-02-30", Reason.WRONG_TYPE, "is not a date like 2026-01-31"),
        ("date", "\ud800", Reason.WRONG_TYPE, "is not a date like 2026-01-31"),
        ("date", "20260131", Reason.WRONG_TYPE, "is not a date like 2026-01-31"),
        ("date", "2026-W05-6", Reason.WRONG_TYPE, "is not a date like 2026-01-31"),
        ("date", 20260131, Reason.WRONG_TYPE, "is an integer, not a string"),
        ("timestamptz", "noon", Reason.WRONG_TYPE, "is not a time like 2026-01-31T12:00:00Z (RFC 3339)"),
        (
            "timestamptz",
            "2026-01-31T12:00:00",
            Reason.WRONG_TYPE,
            "is a time without a zone; write 2026-01-31T12:00:00Z (RFC 3339)",
        ),
    ],
)
def test_a_value_of_another_type_is_refused_with_a_reason_and_without_the_value(
    declaration: str, value: object, reason: Reason, detail: str
) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        ColumnType.parse(declaration).reader()(value)

    assert refusal.value.reason is reason
    assert refusal.value.detail == detail
    assert str(refusal.value) == detail


def test_a_limit_of_the_clear_value_stands_in_place_of_that_of_its_token() -> None:
    read = ColumnType.parse("varchar(256)").reader(max_length=3)

    assert read("abc") == "abc"
    with pytest.raises(InvalidValueError, match="is longer than 3 characters"):
        read("abcd")


def test_text_without_a_limit_may_be_as_long_as_a_message() -> None:
    longest = "x" * 2**20

    assert ColumnType.parse("text").reader()(longest) == longest


@pytest.mark.parametrize(
    ("declaration", "number", "taken"),
    [
        ("numeric(5, 2)", "999.99", True),
        ("numeric(5, 2)", "-999.99", True),
        ("numeric(5, 2)", "1000", False),
        ("numeric(5, 2)", "1.230", True),
        ("numeric(5, 2)", "1.239", False),
        ("numeric(5, 2)", "0", True),
        ("numeric(3)", "999", True),
        ("numeric(3)", "1.5", False),
        ("numeric(3)", "1E+3", False),
        ("numeric", "1.239", True),
        ("numeric(38, 10)", "12345678901234567890.1234567891", True),
        ("numeric(38, 10)", "-12345678901234567890.1234567891", True),
        ("numeric(38, 10)", "12345678901234567890.12345678911", False),
        ("numeric(38, 10)", "1234567890123456789012345678.0", True),
        ("numeric(38, 10)", "12345678901234567890123456789", False),
        ("numeric(38, 18)", "12345678901.5", True),
        ("numeric(1000, 500)", "9" * 500 + "." + "9" * 500, True),
        ("numeric(1000, 500)", "9" * 500 + "." + "9" * 501, False),
        ("numeric(5, 2)", "1." + "0" * 20_000, True),
        ("numeric(5, 2)", "1." + "0" * 20_000 + "1", False),
        ("numeric(5, 2)", "0E-20000", True),
        ("numeric(5, 2)", "1E-20000", False),
    ],
)
def test_a_number_that_would_be_rounded_or_does_not_fit_is_out_of_range(
    declaration: str, number: str, taken: bool
) -> None:
    read = ColumnType.parse(declaration).reader()

    if taken:
        assert read(Decimal(number)) == Decimal(number)
    else:
        with pytest.raises(InvalidValueError) as refusal:
            read(Decimal(number))
        assert refusal.value.reason == "out_of_range"


@pytest.mark.parametrize(
    ("declaration", "number", "text"),
    [
        ("numeric(38, 10)", "12345678901234567890.1234567891", "12345678901234567890.1234567891"),
        ("numeric(38, 18)", "12345678901.5", "12345678901.5"),
        ("numeric(5, 2)", "1.23000", "1.23"),
        ("numeric(5, 2)", "-0.000", "-0.00"),
    ],
)
def test_the_digits_of_a_number_stay_as_they_are_but_for_zeros_that_do_not_fit(
    declaration: str, number: str, text: str
) -> None:
    assert str(ColumnType.parse(declaration).reader()(Decimal(number))) == text
