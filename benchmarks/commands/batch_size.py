"""Measure what the size of a micro-batch gains.

A larger one is one transaction for more rows, and holds more messages in flight.
"""

from __future__ import annotations

import argparse

from benchmarks.sweeps import add_sweep_options, sweep
from benchmarks.transfer import Load

VALUES = (50, 100, 500, 1_000, 2_000)
MESSAGES = 20_000
UNIT = "--micro_batch_size"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "batch_size", VALUES, UNIT)


def main(arguments: argparse.Namespace) -> int:
    """Try each value."""
    return sweep(
        arguments,
        "Throughput over the size of a micro-batch",
        UNIT,
        lambda value: Load(MESSAGES, options=(f"--micro_batch_size={value}", *arguments.job_options)),
    )
