"""Progress: the rate over the last seconds, and nothing left on the screen."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from maskline.pipeline import progress
from maskline.pipeline.progress import Rate, showing_rows
from maskline.pipeline.run_progress import showing_progress
from maskline.pipeline.run_state import RunState
from maskline.pipeline.summary import RunCounts
from maskline.transforms.tally import Tally
from tests.awaiting import await_until


def test_the_rate_is_that_of_the_last_five_seconds() -> None:
    now = 0.0
    rate = Rate(clock=lambda: now)

    rates = []
    for second, received in ((1, 100), (2, 300), (10, 300), (12, 500)):
        now = float(second)
        rates.append(rate.after(received))

    assert rates == [100.0, 150.0, 0.0, 100.0]


def test_a_terminal_shows_a_live_line() -> None:
    screen = io.StringIO()
    state = RunState.at_start(0)

    with showing_progress(lambda: state, Console(file=screen, force_terminal=True, width=120)):
        pass

    assert "received 0  written 0" in screen.getvalue()


def test_elsewhere_there_is_no_live_line() -> None:
    screen = io.StringIO()
    state = RunState.at_start(0)

    with showing_progress(lambda: state, Console(file=screen)):
        pass

    assert screen.getvalue() == ""


def test_a_terminal_shows_how_many_rows_are_done_and_how_fast() -> None:
    screen = io.StringIO()

    with showing_rows(40, Console(file=screen, force_terminal=True, width=120)) as advance:
        advance(30)

    assert "30/40" in screen.getvalue()
    assert "rows/s" in screen.getvalue()


def test_elsewhere_rows_are_counted_without_a_bar() -> None:
    screen = io.StringIO()

    with showing_rows(40, Console(file=screen)) as advance:
        advance(30)

    assert screen.getvalue() == ""


def test_a_line_of_the_log_has_rates_beside_totals_and_the_age_of_the_queue(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.01)
    tally = Tally()
    tally.add("received", 5)
    state = RunState(RunCounts.of(tally), in_flight=3, oldest_message_seconds=12.34)

    def records() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == "maskline.progress"]

    with caplog.at_level("INFO", "maskline.progress"), showing_progress(lambda: state, Console(file=io.StringIO())):
        await_until(lambda: bool(records()), "a line is logged")

    line = vars(records()[0])
    assert (line["received"], line["in_flight"], line["oldest_message_seconds"]) == (5, 3, 12.3)
    assert line["received_per_second"] > 0
    assert (line["written_per_second"], line["deleted_per_second"]) == (0, 0)
