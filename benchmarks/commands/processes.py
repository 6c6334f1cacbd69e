"""Measure what more processes of one job gain: a Python process uses one core.

The servers run on the same cores as the job: the stub leaves most of them to it.
"""

from __future__ import annotations

import argparse

from benchmarks.sweeps import add_sweep_options, sweep
from benchmarks.transfer import Load

VALUES = (1, 2)
MESSAGES = 40_000
UNIT = "--processes"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "processes", VALUES, UNIT)


def main(arguments: argparse.Namespace) -> int:
    """Try each value."""
    return sweep(
        arguments,
        "Throughput over the number of processes",
        UNIT,
        lambda value: Load(MESSAGES, options=(f"--processes={value}", *arguments.job_options)),
    )
