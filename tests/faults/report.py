"""The report of the fault suite: one table, printed and kept in docs/reliability.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.table import Table

from tests.faults.account import Account

COLUMNS = ("scenario", "messages", "written", "rejected", "lost", "doubled", "redelivered", "s to recover")
BEGIN = "<!-- begin: python -m tests.faults -->"
END = "<!-- end -->"
NOTHING = "-"


class Line(msgspec.Struct, frozen=True):
    """One scenario of the report.

    Attributes:
        chapter: The file it stands in, as words.
        scenario: Its name, as words.
        outcome: ``passed``, ``failed`` or ``skipped``.
        account: What became of its messages, or None where it has none of the usual kind.
    """

    chapter: str
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


class Report:
    """A pytest plugin that keeps a line of each scenario; with xdist, in the process that the others report to."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep a scenario's line."""
        is_over = report.when == "call" or report.outcome != "passed"
        if is_over and "test_proxies" not in report.nodeid:
            self.lines.append(_line(report.nodeid, report.outcome, dict(report.user_properties)))

    def table(self) -> Table:
        """Return the lines as a table for a terminal."""
        table = Table(title="Faults", title_justify="left")
        for column in COLUMNS:
            is_name = column == COLUMNS[0]
            table.add_column(column, justify="left" if is_name else "right", min_width=40 if is_name else None)
        for line in sorted(self.lines, key=lambda line: (line.chapter, line.scenario)):
            table.add_row(*line.cells())
        return table

    def markdown(self) -> str:
        """Return the lines as one table a chapter."""
        chapters = sorted({line.chapter for line in self.lines})
        return "\n".join(
            _chapter(chapter, [line for line in self.lines if line.chapter == chapter]) for chapter in chapters
        )

    def write(self, document: Path) -> None:
        """Put the tables into a document, in place of those of the last time.

        Args:
            document: It has a line that begins them and a line that ends them.
        """
        before, _, rest = document.read_text().partition(BEGIN)
        after = rest.partition(END)[2]
        document.write_text(f"{before}{BEGIN}\n{self.markdown()}\n{END}{after}")


def _line(node: str, outcome: str, properties: dict[str, Any]) -> Line:
    file, _, test = node.partition("::")
    function, _, parameters = test.partition("[")
    scenario = function.removeprefix("test_").replace("_", " ")
    if parameters:
        scenario += f" ({parameters.rstrip(']').replace('-', ', ')})"
    account = properties.get("account")
    return Line(
        chapter=Path(file).stem.removeprefix("test_").replace("_", " "),
        scenario=scenario,
        outcome=outcome,
        account=None if account is None else msgspec.convert(account, Account),
    )


def _chapter(name: str, lines: Sequence[Line]) -> str:
    rows = [COLUMNS, tuple("---" if column == COLUMNS[0] else "--:" for column in COLUMNS)]
    rows += [line.cells() for line in sorted(lines, key=lambda line: line.scenario)]
    return "\n".join(["", f"### {name}", "", *(_row(cells) for cells in rows)])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(re.sub(r'[|<>]', ' ', cell) for cell in cells)} |"
