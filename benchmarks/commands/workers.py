"""Measure what a second job on the same queue gains.

Jobs share nothing but the unique index, so two are twice as fast as one where neither the servers nor the cores of the
machine are the limit. Here the servers run on the same cores: the stub leaves most of them to the jobs.
"""

from __future__ import annotations

import argparse

from benchmarks.sweeps import add_sweep_options, sweep
from benchmarks.transfer import Load

VALUES = (1, 2)
MESSAGES = 40_000
UNIT = "jobs"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "workers", VALUES, UNIT)


def main(arguments: argparse.Namespace) -> int:
    """Try each value."""
    return sweep(
        arguments,
        "Throughput over the number of jobs on one queue",
        UNIT,
        lambda value: Load(MESSAGES, jobs=value, options=arguments.job_options),
    )
