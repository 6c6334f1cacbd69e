"""The report of the fault suite: results of each kind of fault, and the tables of the documents made from them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.table import Table

from tests.faults.account import Account

RESULTS = Path(__file__).parent / "results"
"""Where the last run of each kind of fault is kept, a JSON file each."""

COLUMNS = ("scenario", "messages", "written", "rejected", "lost", "doubled", "redelivered", "s to recover")
SUMMARY_COLUMNS = ("kind of fault", "scenarios", "failed", "messages", "lost", "doubled", "longest s to recover", "run")
SUMMARY, TABLES = "reliability.md", "reliability-tables.md"
BEGIN = "<!-- begin: python -m tests.faults -->"
END = "<!-- end -->"
NOTHING = "-"


class Line(msgspec.Struct, frozen=True):
    """One scenario of the report.

    Attributes:
        kind: The kind of fault: the file it stands in, as in ``--only``.
        scenario: Its name, as words.
        outcome: ``passed``, ``failed`` or ``skipped``.
        account: What became of its messages, or None where it has none of the usual kind.
    """

    kind: str
    scenario: str
    outcome: str
    account: Account | None

    def cells(self) -> tuple[str, ...]:
        """Return what stands in the table."""
        name = self.scenario if self.outcome == "passed" else f"{self.outcome.upper()}: {self.scenario}"
        if self.account is None:
            return (name, *[NOTHING] * (len(COLUMNS) - 1))
        numbers = (f"{number:,}" for number in msgspec.structs.astuple(self.account)[:5])
        recovery = self.account.seconds_to_recover
        return (
            name,
            *numbers,
            NOTHING if self.account.redelivered is None else f"{self.account.redelivered:,}",
            NOTHING if recovery is None else f"{recovery:.1f}",
        )


class Result(msgspec.Struct, frozen=True):
    """What the last run of one kind of fault showed.

    Attributes:
        commit: The commit it ran on, and whether there were changes beside it.
        started_at: When the run began, in UTC.
        interrupted: Whether the run was interrupted, so that scenarios may be missing.
        lines: Its scenarios.
    """

    commit: str
    started_at: datetime
    interrupted: bool
    lines: tuple[Line, ...]

    def run(self) -> str:
        """Return what run it was: date, commit, and whether it came to its end."""
        return f"{self.started_at:%Y-%m-%d %H:%M} UTC, {self.commit}{', interrupted' if self.interrupted else ''}"

    def summary(self) -> tuple[str, ...]:
        """Return the line of the table of summaries."""
        accounts = [line.account for line in self.lines if line.account is not None]
        recoveries = [account.seconds_to_recover for account in accounts if account.seconds_to_recover is not None]
        return (
            _words(self.lines[0].kind),
            f"{len(self.lines):,}",
            f"{sum(line.outcome == 'failed' for line in self.lines):,}",
            f"{sum(account.messages for account in accounts):,}",
            f"{sum(account.lost for account in accounts):,}",
            f"{sum(account.doubled for account in accounts):,}",
            f"{max(recoveries):.1f}" if recoveries else NOTHING,
            self.run(),
        )


class Report:
    """A pytest plugin that keeps a line of each scenario; with xdist, in the process that the others report to.

    Args:
        commit: The commit that the scenarios run on.
        started_at: When the run began, in UTC.
    """

    def __init__(self, commit: str, started_at: datetime) -> None:
        self.lines: list[Line] = []
        self._commit = commit
        self._started_at = started_at

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a scenario's line."""
        is_over = report.when == "call" or report.outcome != "passed"
        if is_over and "test_proxies" not in report.nodeid and "test_report" not in report.nodeid:
            self.lines.append(_line(report.nodeid, report.outcome, dict(report.user_properties)))

    def table(self) -> Table:
        """Return the lines as a table for a terminal."""
        table = Table(title="Faults", title_justify="left")
        for column in COLUMNS:
            is_name = column == COLUMNS[0]
            table.add_column(column, justify="left" if is_name else "right", min_width=40 if is_name else None)
        for line in sorted(self.lines, key=lambda line: (line.kind, line.scenario)):
            table.add_row(*line.cells())
        return table

    def write(self, directory: Path, *, interrupted: bool) -> None:
        """Keep the result of each kind of fault that ran, in place of that of its last run.

        Args:
            directory: Where results are.
            interrupted: Whether the run was interrupted.
        """
        directory.mkdir(exist_ok=True)
        for kind in sorted({line.kind for line in self.lines}):
            lines = sorted((line for line in self.lines if line.kind == kind), key=lambda line: line.scenario)
            result = Result(self._commit, self._started_at, interrupted, tuple(lines))
            text = msgspec.json.format(msgspec.json.encode(result), indent=1)
            (directory / f"{kind}.json").write_bytes(text + b"\n")


def read_results(directory: Path) -> list[Result]:
    """Return the results that are kept, in the order of their kinds."""
    return [msgspec.json.decode(file.read_bytes(), type=Result) for file in sorted(directory.glob("*.json"))]


def write_documents(results: Path, documents: Path) -> None:
    """Put the table of summaries and the long tables into their documents, in place of those of the last time.

    Args:
        results: Where results are.
        documents: Where the documents are; each has a line that begins its part and a line that ends it.
    """
    kept = read_results(results)
    for name, text in ((SUMMARY, summary_table(kept)), (TABLES, long_tables(kept))):
        document = documents / name
        before, _, rest = document.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        document.write_text(f"{before}{BEGIN}\n{text}{END}{after}")


def summary_table(results: Sequence[Result]) -> str:
    """Return one line a kind of fault, or nothing where there are no results."""
    return f"\n{_markdown(SUMMARY_COLUMNS, [result.summary() for result in results])}\n\n" if results else ""


def long_tables(results: Sequence[Result]) -> str:
    """Return a table a kind of fault, each under the run it is of."""
    return "".join(
        f"\n## {_words(result.lines[0].kind)}\n\nRun of {result.run()}.\n\n"
        f"{_markdown(COLUMNS, [line.cells() for line in result.lines])}\n"
        for result in results
    )


def kind_of(file: str) -> str:
    """Return the kind of fault that a file of tests is of, as ``--only`` names it."""
    return Path(file).stem.removeprefix("test_")


def _words(kind: str) -> str:
    return kind.replace("_", " ")


def _line(node: str, outcome: str, properties: dict[str, Any]) -> Line:
    file, _, test = node.partition("::")
    function, _, parameters = test.partition("[")
    scenario = function.removeprefix("test_").replace("_", " ")
    if parameters:
        scenario += f" ({parameters.rstrip(']').replace('-', ', ')})"
    account = properties.get("account")
    return Line(
        kind=kind_of(file),
        scenario=scenario,
        outcome=outcome,
        account=None if account is None else msgspec.convert(account, Account),
    )


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    left = (columns[0], "run")
    lines = [columns, ["---" if column in left else "--:" for column in columns], *rows]
    return "\n".join(f"| {' | '.join(re.sub(r'[|<>]', ' ', cell) for cell in cells)} |" for cells in lines)
