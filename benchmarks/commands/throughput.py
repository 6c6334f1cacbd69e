"""Measure how fast the job empties a queue into the table, and what it uses meanwhile.

A queue is filled, the job started as a user would start it (run --until_empty), and every row timed. Rows per second
are counted from the first row to the last. CPU is per message: all that the job used from its start to its end, and
what one message more costs, from the tenth to the ninetieth of a hundred. The first run, in which the servers warm up,
does not count. Options behind -- go to the job: python -m benchmarks throughput -- --micro_batch_size=1000.
"""

from __future__ import annotations

import argparse
import statistics

from benchmarks.measuring import (
    TRANSFER_COLUMNS,
    add_command,
    add_count,
    add_name,
    add_sqs,
    finish,
    progress_bars,
    shown_sqs,
    transfer_cells,
)
from benchmarks.messages import USUAL_BYTES
from benchmarks.results import Cell, Curve, measured
from benchmarks.transfer import Load, Transfer, transfer
from benchmarks.workbench import Workbench

CURVE_POINTS = 100


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sqs(parser)
    add_count(parser, "messages", 20_000, "how many messages")
    add_count(parser, "message_bytes", USUAL_BYTES, "the bytes of each")
    add_count(parser, "jobs", 1, "how many jobs empty the queue side by side")
    add_count(parser, "runs", 3, "how many runs count")
    add_command(parser)
    add_name(parser, "throughput")


def main(arguments: argparse.Namespace) -> int:
    """Run, and show each run and the median of them."""
    load = Load(arguments.messages, arguments.message_bytes, arguments.jobs, arguments.job_options, arguments.command)
    with (
        Workbench(
            arguments.sqs, load.messages, load.size, distance_milliseconds=arguments.distance_milliseconds
        ) as bench,
        progress_bars() as progress,
    ):
        transfer(bench, load, progress, "warming up")
        runs = [transfer(bench, load, progress, f"run {number}") for number in range(1, arguments.runs + 1)]
    cells = [transfer_cells(run) for run in runs]
    rows: list[list[Cell]] = [[f"run {number}", *run] for number, run in enumerate(cells, 1)]
    rows.append(["median", *(statistics.median(column) for column in zip(*cells, strict=True))])
    title = (
        f"Throughput of {arguments.label}: {load.messages:,} messages of {load.size:,} bytes, {shown_sqs(arguments)}"
    )
    curves = {f"run {number}": _rows_over_time(run) for number, run in enumerate(runs, 1)}
    return finish(measured(arguments.name, title, ["", *TRANSFER_COLUMNS], rows, curves))


def _rows_over_time(run: Transfer) -> Curve:
    """Return how many rows there were after how many seconds since the start, at a hundred places."""
    step = max(1, run.messages // CURVE_POINTS)
    places = [*range(0, run.messages, step), run.messages - 1]
    return [(round(run.arrivals[place] - run.started_at, 3), place + 1) for place in places]
