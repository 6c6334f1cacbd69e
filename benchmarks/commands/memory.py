"""Measure whether memory stays as it is while half a million messages go through one job.

Resident memory is that of all processes of the job. It is looked at twenty times a second, and shown at ten places.
"""

from __future__ import annotations

import argparse
import bisect

from benchmarks.measuring import add_count, add_name, add_sqs, finish, progress_bars, shown_sqs
from benchmarks.results import Cell, measured
from benchmarks.transfer import Load, Transfer, transfer
from benchmarks.workbench import Workbench

PLACES = 10
CURVE_POINTS = 200


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sqs(parser)
    add_count(parser, "messages", 500_000, "how many messages")
    add_name(parser, "memory")


def main(arguments: argparse.Namespace) -> int:
    """Transfer, and show the memory on the way."""
    load = Load(arguments.messages, options=arguments.job_options)
    with (
        Workbench(arguments.sqs, load.messages, distance_milliseconds=arguments.distance_milliseconds) as bench,
        progress_bars() as progress,
    ):
        run = transfer(bench, load, progress, "transferring")
    rows: list[list[Cell]] = [
        [rows_written, _megabytes_at(run, rows_written)]
        for rows_written in (run.messages * place // PLACES for place in range(1, PLACES + 1))
    ]
    step = max(1, run.messages // CURVE_POINTS)
    curve = [(float(count), _megabytes_at(run, count)) for count in range(step, run.messages + 1, step)]
    most = f"{run.peak_resident_megabytes:,.0f} MB at most"
    title = f"Resident memory over {load.messages:,} messages, {most}, {shown_sqs(arguments)}"
    return finish(measured(arguments.name, title, ["rows written", "memory [MB]"], rows, {"memory": curve}))


def _megabytes_at(run: Transfer, rows_written: int) -> float:
    """Return the memory when so many rows were written."""
    moment = run.arrivals[rows_written - 1]
    place = bisect.bisect_left(run.samples, moment, key=lambda sample: sample.at)
    return run.samples[min(place, len(run.samples) - 1)].resident_bytes / 1e6
