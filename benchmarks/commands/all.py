"""Measure all that docs/performance.md shows, one after another on one commit, and put it there.

It takes about an hour, in which nothing else should run on the machine. Each --peer is measured beside the job, as by
the command compare; the first of them also by latency.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Sequence

from benchmarks.commands.compare import add_peers, peer_of
from benchmarks.consumers import PROJECT
from maskline.errors import MasklineError
from maskline.pipeline.printing import echo

MEASUREMENTS: tuple[tuple[str, ...], ...] = (
    ("throughput", "--runs=6"),
    ("latency",),
    ("memory",),
    ("stages",),
    ("batch_size",),
    ("message_size",),
    ("backlog",),
    ("pollers",),
    ("processes", "--sqs=stub", "--distance_milliseconds=10"),
    ("workers", "--sqs=stub", "--distance_milliseconds=10"),
    ("queue",),
    ("requests",),
    ("flink", "--rounds=2"),
    ("inserts", "--repeat=7"),
    ("rows",),
    ("masks",),
)
"""What is measured of the job alone, in this order."""

Run = Callable[[Sequence[str]], int]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_peers(parser)


def main(arguments: argparse.Namespace, run: Run | None = None) -> int:
    """Run each benchmark in a process of its own, as a reader would, and then ``report``.

    Args:
        arguments: With the options of the command.
        run: Runs a benchmark, whose command line it is given, and returns its exit code.

    Raises:
        MasklineError: One failed; those after it did not run.
    """
    run = run or _run
    peers: list[str] = arguments.peer
    beside = [("compare", *(f"--peer={peer}" for peer in peers))] if peers else []
    for name, program in map(peer_of, peers[:1]):
        beside.append(("latency", "--name=latency_peer", f"--label={name}", f"--command={program}"))
    for benchmark in (*beside, *MEASUREMENTS, ("report",)):
        echo(f"python -m benchmarks {benchmark[0]}")
        if exit_code := run(benchmark):
            raise MasklineError(f"{benchmark[0]} failed with exit code {exit_code}; what is above says why")
    return 0


def _run(benchmark: Sequence[str]) -> int:
    command = [sys.executable, "-m", "benchmarks", *benchmark]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode  # noqa: S603 - the command is ours
