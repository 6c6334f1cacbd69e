"""Arrays in text form: what goes in is what Postgres takes out."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskline.postgres.arrays import array_literal, moment_array
from maskline.postgres.connection import Connection
from tests.maskline.postgres.records import value_of

TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.none() | TEXTS))
def test_texts_arrive_as_they_are(database: Connection, texts: list[str | None]) -> None:
    assert value_of(database, "SELECT %s::text[]", [array_literal(texts)]) == texts


@pytest.mark.parametrize(
    "text", ["NULL", "null", "", " ", "{}", "{a,b}", ",", '"', "\\", '\\"', "\\\\", "\n\t", "it's", "%s"]
)
def test_texts_that_mean_something_in_an_array_arrive_as_they_are(database: Connection, text: str) -> None:
    assert value_of(database, "SELECT %s::text[]", [array_literal([text, text])]) == [text, text]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("SELECT %s::integer[]", [0, -(2**31), 2**31 - 1, None]),
        ("SELECT %s::bigint[]", [-(2**63), 2**63 - 1]),
        ("SELECT %s::numeric[]", [Decimal("0.10"), Decimal("1E+20"), Decimal("-1E-20")]),
        ("SELECT %s::boolean[]", [True, False, None]),
        ("SELECT %s::date[]", [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
        (
            "SELECT %s::timestamptz[]",
            [
                datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
                datetime(999, 1, 1, tzinfo=UTC),
                datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            ],
        ),
    ],
)
def test_values_of_every_column_type_arrive_as_they_are(database: Connection, query: str, values: list[object]) -> None:
    assert value_of(database, query, [array_literal(values)]) == values


@pytest.mark.parametrize(
    ("query", "moments"),
    [
        ("SELECT %s::date[]", [date(1, 1, 1), date(2024, 2, 29), date(9999, 12, 31)]),
        (
            "SELECT %s::timestamptz[]",
            [
                datetime(2024, 2, 29, 23, 59, 59, 999999, UTC),
                datetime(2024, 2, 29, 23, 59, 59, 999000, UTC),
                datetime(999, 1, 1, tzinfo=UTC),
                datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
            ],
        ),
        ("SELECT %s::date[]", []),
    ],
)
def test_moments_arrive_as_they_are(database: Connection, query: str, moments: list[date]) -> None:
    assert value_of(database, query, [moment_array(moments)]) == moments


def test_an_empty_array_is_one(database: Connection) -> None:
    assert value_of(database, "SELECT %s::text[]", [array_literal([])]) == []
