"""Arrays in binary form: what goes in is what the server reads, and what text would have brought."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from maskline.postgres.binary_arrays import (
    BinaryArray,
    bigint_array,
    date_array,
    since_2000,
    text_array,
    timestamptz_array,
)
from maskline.postgres.connection import Connection

MOMENTS = [
    datetime(2000, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(2023, 11, 5, 12, 30, 0, 1000, tzinfo=UTC),
    datetime(2024, 2, 29, 23, 59, tzinfo=timezone(timedelta(hours=-5))),
    datetime(9999, 12, 31, tzinfo=UTC),
]


def read(database: Connection, array: Any, element: str) -> list[Any]:
    """Return what the server makes of an array, element by element."""
    with psycopg.RawCursor(database) as cursor:
        return [value for (value,) in cursor.execute(f"SELECT unnest($1::{element}[])", [array])]


def test_moments_come_as_they_are_and_their_dates_are_those_of_utc(database: Connection) -> None:
    counted = since_2000(MOMENTS)

    assert read(database, timestamptz_array(counted), "timestamptz") == MOMENTS
    assert [str(day) for day in read(database, date_array(counted), "date")] == [
        "2000-01-01",
        "1969-12-31",
        "2023-11-05",
        "2024-03-01",
        "9999-12-31",
    ]


@pytest.mark.parametrize("numbers", [[0], [-5, -5, -5], [2**63 - 1, -(2**63), 7]])
def test_numbers_come_as_they_are(database: Connection, numbers: list[int]) -> None:
    assert read(database, bigint_array(numbers), "bigint") == numbers


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(moments=st.lists(st.datetimes(timezones=st.just(UTC)), min_size=1))
def test_any_moments_come_as_they_are(database: Connection, moments: list[datetime]) -> None:
    assert read(database, timestamptz_array(since_2000(moments)), "timestamptz") == moments


@pytest.mark.parametrize(
    ("values", "is_binary"),
    [
        ([""], True),
        (["a", "", 'b"\\,{}', "NULL", "x" * 300], True),
        (["é", "a"], False),
        (["a", None, ""], True),
        ([None], True),
        ([None, "é"], False),
        ([None, ["a"]], False),
        ([["a"], "b"], False),
        (["a\0"], False),
    ],
)
def test_texts_go_in_binary_form_where_that_is_the_same(values: list[Any], is_binary: bool) -> None:
    assert isinstance(text_array("text", values), BinaryArray) == is_binary


@pytest.mark.parametrize("element", ["text", "varchar"])
@example(values=["x" * 1023, None, "", "y"])
@example(values=["x" * 1024, None, "", "y" * 70_000])
@example(values=[None, None])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(
    values=st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1)
)
def test_any_texts_come_as_they_are(database: Connection, element: str, values: list[str | None]) -> None:
    assert read(database, text_array(element, values), element) == values
