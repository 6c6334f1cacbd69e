"""The report of the fault suite: the summary is of the long tables, and both are of one run."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.e2e.job_process import PROJECT
from tests.faults.account import Account
from tests.faults.report import (
    BEGIN,
    END,
    RESULTS,
    SUMMARY,
    TABLES,
    Line,
    Report,
    long_tables,
    read_results,
    summary_table,
    write_documents,
)

AT = datetime(2026, 11, 27, 1, 2, tzinfo=UTC)


def _cut(seconds: float | None, *, scenario: str, lost: int = 0) -> Line:
    account = Account(1_200, 1_199 - lost, 1, lost, 0, redelivered=3, seconds_to_recover=seconds)
    return Line("postgres_connection", scenario, "failed" if lost else "passed", account)


def _report(*lines: Line) -> Report:
    report = Report("0123abcde", AT)
    report.lines.extend(lines)
    return report


def test_the_summary_adds_up_what_the_long_table_lists(tmp_path: Path) -> None:
    without_account = Line("postgres_connection", "c", "passed", None)
    _report(_cut(0.4, scenario="b"), _cut(12.3, scenario="a", lost=2), without_account).write(
        tmp_path, interrupted=False
    )

    results = read_results(tmp_path)

    assert summary_table(results) == (
        "\n| kind of fault | scenarios | failed | messages | lost | doubled | longest s to recover | run |\n"
        "| --- | --: | --: | --: | --: | --: | --: | --- |\n"
        "| postgres connection | 3 | 1 | 2,400 | 2 | 0 | 12.3 | 2026-11-27 01:02 UTC, 0123abcde |\n\n"
    )
    assert long_tables(results) == (
        "\n## postgres connection\n\nRun of 2026-11-27 01:02 UTC, 0123abcde.\n\n"
        "| scenario | messages | written | rejected | lost | doubled | redelivered | s to recover |\n"
        "| --- | --: | --: | --: | --: | --: | --: | --: |\n"
        "| FAILED: a | 1,200 | 1,197 | 1 | 2 | 0 | 3 | 12.3 |\n"
        "| b | 1,200 | 1,199 | 1 | 0 | 0 | 3 | 0.4 |\n"
        "| c | - | - | - | - | - | - | - |\n"
    )


def test_an_interrupted_run_reports_what_it_has_and_leaves_the_other_kinds_as_they_were(tmp_path: Path) -> None:
    _report(_cut(1.0, scenario="a"), Line("kills", "k", "passed", None)).write(tmp_path, interrupted=False)

    _report(_cut(2.0, scenario="a")).write(tmp_path, interrupted=True)

    assert [result.run() for result in read_results(tmp_path)] == [
        "2026-11-27 01:02 UTC, 0123abcde",
        "2026-11-27 01:02 UTC, 0123abcde, interrupted",
    ]


def test_only_what_stands_between_the_marks_is_written(tmp_path: Path) -> None:
    for name in (SUMMARY, TABLES):
        (tmp_path / name).write_text(f"before\n{BEGIN}\nof the last time\n{END}\nafter\n")
    results = tmp_path / "results"
    _report(_cut(1.0, scenario="a")).write(results, interrupted=False)

    write_documents(results, tmp_path)

    for name in (SUMMARY, TABLES):
        text = (tmp_path / name).read_text()
        assert text.startswith(f"before\n{BEGIN}\n\n")
        assert text.endswith(f"\n{END}\nafter\n")
        assert "of the last time" not in text


def test_the_documents_hold_the_results_that_are_kept() -> None:
    results = read_results(RESULTS)

    assert _generated(SUMMARY) == summary_table(results)
    assert _generated(TABLES) == long_tables(results)


def _generated(name: str) -> str:
    text = (PROJECT / "docs" / name).read_text()
    return text.partition(f"{BEGIN}\n")[2].partition(END)[0]
