"""Measure what the job does and costs on Flink, and what a second slot gains.

A Flink cluster of this machine (a JobManager, a TaskManager), a pool of SDK workers and Beam's job server count as the
job: their CPU and memory are its own. Each slot has a Python process. deploy/flink/fetch.sh fetches what it needs.
"""

from __future__ import annotations

import argparse
import shlex
import sys

from benchmarks.flink_job import why_it_cannot_start
from benchmarks.sweeps import add_sweep_options, sweep
from benchmarks.transfer import Load
from maskline.errors import SetupError

VALUES = (1, 2)
MESSAGES = 40_000
UNIT = "parallelism"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "flink", VALUES, UNIT)


def main(arguments: argparse.Namespace) -> int:
    """Try each value.

    Raises:
        SetupError: Flink is not there.
    """
    missing = why_it_cannot_start()
    if missing is not None:
        raise SetupError(missing)
    program = [sys.executable, "-m", "benchmarks.flink_job", *arguments.job_options]

    def on_flink(parallelism: int) -> Load:
        return Load(MESSAGES, command=shlex.join([*program, f"--parallelism={parallelism}"]))

    return sweep(arguments, "Throughput over the parallelism on Flink", UNIT, on_flink)
