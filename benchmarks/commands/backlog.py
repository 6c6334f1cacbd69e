"""Measure whether a long queue is emptied as fast as a short one.

The job does not know how long the queue is; the server does, and slows down if it is not good at it.
"""

from __future__ import annotations

import argparse

from benchmarks.sweeps import add_sweep_options, sweep
from benchmarks.transfer import Load

VALUES = (3_000, 10_000, 30_000, 100_000)
UNIT = "messages waiting"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "backlog", VALUES, UNIT)


def main(arguments: argparse.Namespace) -> int:
    """Try each value."""
    return sweep(
        arguments,
        "Throughput over the length of the queue",
        UNIT,
        lambda value: Load(value, options=arguments.job_options),
    )
