"""A result: what was measured, where, of what versions and by which command; as JSON and as tables."""

from __future__ import annotations

import math
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import msgspec
import psutil
from rich.markup import escape
from rich.table import Table

from maskline.errors import UsageError

RESULTS = Path(__file__).with_name("results")
NOTHING = "-"
_PACKAGES = ("apache-beam", "boto3", "msgspec", "psycopg", "tink")

_LOAD_BEFORE = round(os.getloadavg()[0], 1)

Cell = str | int | float | None
Curve = list[tuple[float, float]]


class Machine(msgspec.Struct, frozen=True):
    """Where it was measured.

    Attributes:
        cpu: The processor's own name.
        cores: How many of them.
        memory_gigabytes: The memory.
        system: The operating system.
        load: How many processes wanted a core in the minute before it: well above 0, and others were at work.
    """

    cpu: str
    cores: int
    memory_gigabytes: int
    system: str
    load: float

    @classmethod
    def here(cls) -> Machine:
        """Return this machine."""
        return cls(
            cpu=_cpu_name(),
            cores=psutil.cpu_count() or 0,
            memory_gigabytes=round(psutil.virtual_memory().total / 1e9),
            system=f"{platform.system()} {platform.release()}",
            load=_LOAD_BEFORE,
        )


class Result(msgspec.Struct, frozen=True):
    """One measurement.

    Attributes:
        name: Its name, which is that of its file.
        title: What it shows.
        command: The command that made it.
        measured_at: When, UTC.
        machine: Where.
        versions: Of what.
        commit: Of which commit of this repository, with ``-changed`` behind it where the code differed from it.
        columns: What stands in each column of the table; a unit in brackets.
        rows: The table.
        curves: What to draw, by the name of each curve: points from left to right.
    """

    name: str
    title: str
    command: str
    measured_at: datetime
    machine: Machine
    versions: dict[str, str]
    commit: str
    columns: list[str]
    rows: list[list[Cell]]
    curves: dict[str, Curve] = {}

    def table(self) -> Table:
        """Return it as a table for a terminal."""
        table = Table(title=escape(self.title), title_justify="left")
        for place, column in enumerate(self.columns):
            table.add_column(escape(column), justify="right" if self._is_numeric(place) else "left")
        for row in self.rows:
            table.add_row(*(escape(shown(cell)) for cell in row))
        return table

    def markdown(self) -> str:
        """Return it as a table for a document, with where it comes from."""
        rule = ["--:" if self._is_numeric(place) else "---" for place in range(len(self.columns))]
        lines = [_line(self.columns), _line(rule), *(_line(map(shown, row)) for row in self.rows)]
        machine = f"{self.machine.cpu}, {self.machine.cores} cores, load before it {self.machine.load}"
        made = f"`{self.command}`, {self.measured_at:%Y-%m-%d %H:%M} UTC, commit {self.commit}, {machine}."
        return "\n".join(["", *lines, "", made, ""])

    def write(self, directory: Path = RESULTS) -> Path:
        """Write it, in place of an earlier one of its name.

        Args:
            directory: Where to.
        """
        directory.mkdir(exist_ok=True)
        file = directory / f"{self.name}.json"
        file.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        return file

    @classmethod
    def read(cls, file: Path) -> Result:
        """Read one that was written.

        Args:
            file: Its file.

        Raises:
            UsageError: The file is not a result.
        """
        try:
            return msgspec.json.decode(file.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError) as error:
            raise UsageError(f"result {file}: cannot be read: {error}") from None

    def _is_numeric(self, place: int) -> bool:
        return all(not isinstance(row[place], str) for row in self.rows)


def measured(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    curves: dict[str, Curve] | None = None,
) -> Result:
    """Return a result of now, of this machine and of the command that runs.

    Args:
        name: Its name.
        title: What it shows.
        columns: The heads of its table.
        rows: The table.
        curves: What to draw; a point without a value is left out.
    """
    return Result(
        name=name,
        title=title,
        command=command_line(sys.argv[1:]),
        measured_at=datetime.now(UTC).replace(microsecond=0),
        machine=Machine.here(),
        versions={"python": platform.python_version(), **{name: metadata.version(name) for name in _PACKAGES}},
        commit=_commit(),
        columns=list(columns),
        rows=[[_rounded(cell) for cell in row] for row in rows],
        curves={label: [(x, y) for x, y in points if math.isfinite(y)] for label, points in (curves or {}).items()},
    )


def command_line(arguments: Sequence[str]) -> str:
    """Return the command as another would type it: the program it measured stands elsewhere with them.

    Args:
        arguments: The command line without the program.
    """
    words = [
        _PROGRAMS[before](word) if before in _PROGRAMS else word
        for before, word in zip(["", *arguments], arguments, strict=False)
    ]
    words = [
        f"{option}={_PROGRAMS[option](value)}" if found and option in _PROGRAMS else word
        for word in words
        for option, found, value in [word.partition("=")]
    ]
    return shlex.join(["python", "-m", "benchmarks", *words])


_PROGRAMS: dict[str, Callable[[str], str]] = {
    "--command": lambda _program: "PROGRAM",
    "--peer": lambda peer: f"{peer.partition('=')[0]}=PROGRAM",
}
"""What is shown of the options whose value is a program of the reader's own machine."""


def shown(cell: Cell) -> str:
    """Return what a reader sees of a cell: three digits where a number is no count.

    Args:
        cell: The cell.
    """
    if cell is None:
        return NOTHING
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 or cell == 0 else f"{cell:,.3g}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def _rounded(cell: Cell) -> Cell:
    """Leave out the digits that no measurement has, and what is no number."""
    if not isinstance(cell, float):
        return cell
    return float(f"{cell:.4g}") if math.isfinite(cell) else None


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _commit() -> str:
    def git(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - the command is ours
            ["git", *arguments],  # noqa: S607 - whichever git the user has
            cwd=RESULTS.parent,
            capture_output=True,
            text=True,
            check=False,
        )

    # What a benchmark itself writes makes no other program of it.
    is_as_committed = git("diff", "--quiet", "HEAD", "--", ":/", ":/!benchmarks/results", ":/!docs").returncode == 0
    commit = git("rev-parse", "--short", "HEAD").stdout.strip() or "unknown"
    return commit if is_as_committed else f"{commit}-changed"


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
