"""Measure the job beside other programs, in turn, near the queue and far from it, and show which targets are met.

Each program empties the same queues into the same table, one after another, round by round, so that what else the
machine does meets all of them. Another program is any that --command of the other benchmarks takes:
--peer NAME=PROGRAM, where PROGRAM finds QUEUE_URL, SQS_ENDPOINT and POSTGRES_URL in its environment. A figure is
compared with the best of the peers, each figure with its own best.
"""

from __future__ import annotations

import argparse
import statistics
from typing import NamedTuple

import msgspec
from rich.progress import Progress

from benchmarks.measuring import add_count, add_name, finish, progress_bars, wide_console
from benchmarks.results import Cell, measured
from benchmarks.transfer import Load, Transfer, transfer
from benchmarks.workbench import Workbench
from maskline.errors import UsageError

OURS, OURS_TWICE = "maskline", "maskline, 2 processes"
QUEUES = ("elasticmq", "10", "50")
BESIDE_A_PEER = "times the peer's"
COLUMNS = (
    "queue",
    "program",
    "rows/s 10-90 %",
    "from",
    "to",
    "CPU 10-90 % [µs]",
    "from",
    "to",
    "CPU [µs]",
    "memory [MB]",
    "PSS [MB]",
    "first row [s]",
)

Runs = dict[tuple[str, str], list[Transfer]]
"""The runs by queue and program."""


class Target(msgspec.Struct, frozen=True):
    """A figure of ours beside what it is to be.

    Attributes:
        figure: What is measured.
        queue: Where.
        ours: Our figure.
        bound: What it is to reach.
        is_least: Whether it is to be at least that, or at most.
        unit: What it is counted in.
    """

    figure: str
    queue: str
    ours: float
    bound: float
    is_least: bool
    unit: str

    def cells(self) -> list[Cell]:
        """Return it as a row."""
        is_met = self.ours >= self.bound if self.is_least else self.ours <= self.bound
        sign = "≥" if self.is_least else "≤"
        return [self.figure, self.queue, self.ours, f"{sign} {self.bound:g} {self.unit}", "yes" if is_met else "no"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_peers(parser)
    parser.add_argument(
        "--queues",
        nargs="+",
        default=QUEUES,
        metavar="QUEUE",
        help=f"elasticmq, or how many milliseconds the stub is away ({' '.join(QUEUES)})",
    )
    add_count(parser, "messages", 20_000, "how many messages")
    add_count(parser, "runs", 5, "how many runs of each program of which the median counts")
    add_name(parser, "comparison")


def add_peers(parser: argparse.ArgumentParser) -> None:
    """Add the option that names the programs to compare with."""
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        metavar="NAME=PROGRAM",
        help="a program to compare with, and what the table calls it; may be repeated",
    )


def peer_of(text: str) -> tuple[str, str]:
    """Return the name and the program that ``--peer`` gives.

    Raises:
        UsageError: It gives none.
    """
    name, found, program = text.partition("=")
    if not (name and found and program):
        raise UsageError(f"peer {text!r}: give NAME=PROGRAM")
    return name, program


def main(arguments: argparse.Namespace) -> int:
    """Run all of them in turn at each queue, and show figures and targets."""
    loads = {
        OURS: Load(arguments.messages, options=arguments.job_options),
        OURS_TWICE: Load(arguments.messages, options=("--processes=2", *arguments.job_options)),
        **{name: Load(arguments.messages, command=program) for name, program in map(peer_of, arguments.peer)},
    }
    runs: Runs = {}
    with progress_bars() as progress:
        for queue in arguments.queues:
            with _workbench(queue, arguments.messages) as bench:
                runs |= _run_in_turn(bench, queue, loads, arguments.runs, progress)
    rows: list[list[Cell]] = [[queue, name, *_figures(each)] for (queue, name), each in runs.items()]
    title = f"{arguments.messages:,} messages, medians of {arguments.runs} runs in turn"
    targets = measured(
        f"{arguments.name}_targets",
        f"Targets, each against the best of the peers: {title}",
        ["figure", "queue", "measured", "target", "met"],
        [target.cells() for target in _targets(runs)],
    )
    wide_console().print(targets.table())
    targets.write()
    return finish(measured(arguments.name, title, COLUMNS, rows))


def _workbench(queue: str, messages: int) -> Workbench:
    if queue == "elasticmq":
        return Workbench(queue, messages)
    if not queue.isdecimal():
        raise UsageError(f"queues: {queue!r} is neither elasticmq nor a whole number of milliseconds")
    return Workbench("stub", messages, distance_milliseconds=int(queue))


def _run_in_turn(bench: Workbench, queue: str, loads: dict[str, Load], rounds: int, progress: Progress) -> Runs:
    where = f"{queue} ms" if queue.isdecimal() else queue
    runs: Runs = {(where, name): [] for name in loads}
    transfer(bench, loads[OURS], progress, f"{where}: warming up")
    for number in range(1, rounds + 1):
        for name, load in loads.items():
            runs[where, name].append(transfer(bench, load, progress, f"{where}: run {number}, {name}"))
    return runs


class _Figures(NamedTuple):
    """The figures of a program, in the order of `COLUMNS`."""

    speed: float
    least_speed: float
    most_speed: float
    used: float
    least_used: float
    most_used: float
    used_in_all: float
    megabytes: float
    proportional_megabytes: float
    first_row: float


def _figures(runs: list[Transfer]) -> _Figures:
    speeds = [run.messages_per_second_10_to_90 for run in runs]
    used = [run.cpu_microseconds_10_to_90 for run in runs]
    return _Figures(
        *(statistics.median(speeds), min(speeds), max(speeds)),
        *(statistics.median(used), min(used), max(used)),
        statistics.median(run.cpu_microseconds for run in runs),
        statistics.median(run.peak_resident_megabytes for run in runs),
        statistics.median(run.peak_proportional_megabytes for run in runs),
        statistics.median(run.seconds_to_first_row for run in runs),
    )


def _targets(runs: Runs) -> list[Target]:
    targets: list[Target] = []
    for queue in dict.fromkeys(queue for queue, _ in runs):
        figures = {name: _figures(each) for (place, name), each in runs.items() if place == queue}
        ours, twice = figures.pop(OURS), figures.pop(OURS_TWICE)
        if figures:
            fastest, marginal, whole = (
                max(each.speed for each in figures.values()),
                min(each.used for each in figures.values()),
                min(each.used_in_all for each in figures.values()),
            )
            targets += [
                Target("rows/s", queue, ours.speed / fastest, 1.2, is_least=True, unit=BESIDE_A_PEER),
                Target("CPU of one message more", queue, ours.used / marginal, 0.5, is_least=False, unit=BESIDE_A_PEER),
                Target("CPU with the start", queue, ours.used_in_all / whole, 0.8, is_least=False, unit=BESIDE_A_PEER),
            ]
        targets += [
            Target("rows/s of 2 processes", queue, twice.speed / ours.speed, 1.9, is_least=True, unit="times one's"),
            Target("start to first row", queue, ours.first_row, 0.8, is_least=False, unit="s"),
            Target("memory, one process", queue, ours.megabytes, 200, is_least=False, unit="MB"),
            Target("memory, 2 processes (PSS)", queue, twice.proportional_megabytes, 300, is_least=False, unit="MB"),
        ]
    return targets
