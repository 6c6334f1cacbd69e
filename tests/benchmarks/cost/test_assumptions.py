"""The file of assumptions is checked before anything is computed from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.cost.assumptions import ASSUMPTIONS, load_assumptions
from benchmarks.results import RESULTS, Result
from maskline.errors import UsageError


def test_the_shipped_assumptions_say_of_when_and_where_their_prices_are() -> None:
    prices = load_assumptions().prices

    assert (prices.region, prices.as_of) == ("us-east-1", "2026-03")


def test_the_bytes_of_a_row_are_those_that_were_measured() -> None:
    measured = load_assumptions().measured
    first, longest = Result.read(RESULTS / "rows.json").rows

    assert [
        measured.table_bytes_per_row,
        measured.index_bytes_per_row,
        measured.ledger_bytes_per_row,
        measured.ledger_index_bytes_per_row,
    ] == pytest.approx(longest[1:5], rel=0.05)
    assert measured.log_bytes_per_row == pytest.approx(first[5], rel=0.05)


@pytest.mark.parametrize(
    ("number", "replaced", "complaint"),
    [
        ("utilization = 0.7", "utilization = 1.7", "utilization"),
        ("messages_per_receive = 10.0", "messages_per_receive = 11.0", "messages_per_receive"),
        ("vcpu_hour = 0.04048", "vcpu_hours = 0.04048", "vcpu_hour"),
        ("message_bytes = 170", "message_bytes = 'many'", "message_bytes"),
    ],
)
def test_a_wrong_number_is_named(tmp_path: Path, number: str, replaced: str, complaint: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(ASSUMPTIONS.read_text().replace(number, replaced))

    with pytest.raises(UsageError, match=rf"mine\.toml: .*{complaint}"):
        load_assumptions(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml"):
        load_assumptions(tmp_path / "none.toml")
