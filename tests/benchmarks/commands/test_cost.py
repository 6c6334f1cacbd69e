"""``cost`` prints the table of docs/scaling.md, and any other."""

from __future__ import annotations

import pytest

from benchmarks.cli import main


def test_it_shows_the_rates_that_are_asked_for_and_the_date_of_its_prices(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--messages_per_minute", "600", "6000"]) == 0

    output = capsys.readouterr().out
    (line,) = [line for line in output.splitlines() if "messages a second" in line]
    assert line.replace(" ", "") == "│messagesasecond│10│100│"
    assert "Prices: us-east-1, 2026-03." in output


def test_it_prints_the_table_as_the_document_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--markdown"]) == 0

    assert capsys.readouterr().out.startswith("| messages a minute | 1,000 | 100,000 | 10,000,000 |\n| --- | --: |")
