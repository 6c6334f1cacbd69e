"""Progress: the rate over the last seconds, and nothing left on the screen."""

from __future__ import annotations

import io

from rich.console import Console

from maskline.pipeline.progress import Rate, showing_progress, showing_rows
from maskline.pipeline.summary import RunCounts
from maskline.transforms.tally import Tally


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
    counts = RunCounts.of(Tally())

    with showing_progress(lambda: counts, Console(file=screen, force_terminal=True, width=120)):
        pass

    assert "received 0  written 0" in screen.getvalue()


def test_elsewhere_there_is_no_live_line() -> None:
    screen = io.StringIO()
    counts = RunCounts.of(Tally())

    with showing_progress(lambda: counts, Console(file=screen)):
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
