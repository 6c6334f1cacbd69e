"""Dates and times beyond Python's are said as Postgres reads them."""

from __future__ import annotations

import pytest

from maskline.lake.moments import date_text, moment_text


@pytest.mark.parametrize(
    ("days", "text"),
    [
        (0, "1970-01-01"),
        (-1, "1969-12-31"),
        (3_663_382, "12000-01-01"),
        (-719_162, "0001-01-01"),
        (-719_163, "0001-12-31 BC"),
        (-735_160, "0044-03-15 BC"),
        (2_145_042_905, "5874897-12-31"),
    ],
)
def test_a_date_is_the_one_that_postgres_counts(days: int, text: str) -> None:
    assert date_text(days) == text


@pytest.mark.parametrize(
    ("microseconds", "text"),
    [
        (0, "1970-01-01 00:00:00.000000+00"),
        (-1, "1969-12-31 23:59:59.999999+00"),
        (-63_517_780_799_500_000, "0044-03-15 12:00:00.500000+00 BC"),
        (316_516_204_800_000_001, "12000-01-01 00:00:00.000001+00"),
    ],
)
def test_a_time_is_the_one_that_postgres_counts(microseconds: int, text: str) -> None:
    assert moment_text(microseconds) == text
