"""Measure what the job does and costs on Flink, beside DirectRunner in the same run, and what a second slot gains.

A Flink cluster of this machine (a JobManager, a TaskManager), a pool of SDK workers and Beam's job server count as the
job: their CPU and memory are its own. Each slot has a Python process. All take turns, and the median of each one's
runs is shown. deploy/flink/fetch.sh fetches what it needs.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys

from benchmarks.flink_job import why_it_cannot_start
from benchmarks.measuring import TRANSFER_COLUMNS, add_count, finish, progress_bars, shown_sqs, transfer_cells
from benchmarks.results import Cell, measured
from benchmarks.sweeps import add_sweep_options
from benchmarks.transfer import Load, Transfer, transfer
from benchmarks.workbench import Workbench
from maskline.errors import SetupError

VALUES = (1, 2)
MESSAGES = 40_000
UNIT = "parallelism"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "flink", VALUES, UNIT)
    add_count(parser, "rounds", 3, "how often each is run")


def main(arguments: argparse.Namespace) -> int:
    """Run DirectRunner and each parallelism in turn.

    Raises:
        SetupError: Flink is not there.
    """
    missing = why_it_cannot_start()
    if missing is not None:
        raise SetupError(missing)
    program = [sys.executable, "-m", "benchmarks.flink_job", *arguments.job_options]
    directly = Load(MESSAGES, options=arguments.job_options)
    on_flink = {
        parallelism: Load(MESSAGES, command=shlex.join([*program, f"--parallelism={parallelism}"]))
        for parallelism in arguments.values
    }
    loads = {"DirectRunner": directly} | {f"Flink at {value}": load for value, load in on_flink.items()}
    runs = _run_in_turn(arguments, loads)
    rows: list[list[Cell]] = [[name, MESSAGES, *_medians(each)] for name, each in runs.items()]
    speeds = [statistics.median(run.messages_per_second for run in each) for each in runs.values()]
    curve = [(float(value), speed) for value, speed in zip(on_flink, speeds[1:], strict=True)]
    title = (
        f"Throughput over the parallelism on Flink, the median of {arguments.rounds} runs each, {shown_sqs(arguments)}"
    )
    return finish(measured(arguments.name, title, ["runner", "messages", *TRANSFER_COLUMNS], rows, {"rows/s": curve}))


def _run_in_turn(arguments: argparse.Namespace, loads: dict[str, Load]) -> dict[str, list[Transfer]]:
    runs: dict[str, list[Transfer]] = {name: [] for name in loads}
    distance = arguments.distance_milliseconds
    with Workbench(arguments.sqs, MESSAGES, distance_milliseconds=distance) as bench, progress_bars() as progress:
        transfer(bench, Load(MESSAGES), progress, "warming up")
        for number in range(1, arguments.rounds + 1):
            for name, load in loads.items():
                runs[name].append(transfer(bench, load, progress, f"round {number}, {name}"))
    return runs


def _medians(runs: list[Transfer]) -> list[float]:
    return [statistics.median(column) for column in zip(*map(transfer_cells, runs), strict=True)]
