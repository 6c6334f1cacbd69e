"""What is shown of a run equals what was counted."""

from __future__ import annotations

import io

from rich.console import Console

from maskline.pipeline.summary import RunCounts, summary_table
from maskline.transforms.tally import Tally


def counted() -> RunCounts:
    tally = Tally()
    for name, count in (
        ("received", 1200),
        ("written", 1000),
        ("duplicates", 150),
        ("rejected", 50),
        ("deleted", 1199),
    ):
        tally.add(name, count)
    tally.add("rejected_not_json", 20)
    tally.add("rejected_missing_field", 30)
    tally.add("delete_failures", 1)
    tally.observe("end_to_end_latency_milliseconds", 1234)
    return RunCounts.of(tally)


def test_the_line_of_counts() -> None:
    assert counted().line(messages_per_second=400.4) == (
        "received 1,200  written 1,000  duplicates 150  rejected 50  deleted 1,199  400/s  lag 1.2 s"
    )


def test_the_summary_names_each_reason_and_each_failure() -> None:
    screen = io.StringIO()

    Console(file=screen, width=80).print(summary_table(counted(), seconds=3))

    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in screen.getvalue().splitlines()]
    assert [row for row in rows if len(row) == 2] == [
        ["received", "1,200"],
        ["written", "1,000"],
        ["duplicates", "150"],
        ["rejected", "50"],
        ["missing_field", "30"],
        ["not_json", "20"],
        ["deleted", "1,199"],
        ["not deleted (they come back)", "1"],
        ["messages per second", "400"],
    ]


def test_a_run_without_messages_has_no_rate() -> None:
    assert summary_table(RunCounts.of(Tally()), seconds=0).row_count == 5
