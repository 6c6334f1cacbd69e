"""Measure what larger messages cost.

A message is a login and a field that the stream does not name, so that all of it is received, decoded and sealed, and
nothing more written. The largest travel one a request.
"""

from __future__ import annotations

import argparse

from benchmarks.sweeps import add_sweep_options, sweep
from benchmarks.transfer import Load

VALUES = (170, 10_000, 256_000)
MAX_MESSAGES = 20_000
MAX_BYTES = 250_000_000
"""Of all messages together: what of them one machine holds beside the servers."""
UNIT = "bytes a message"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "message_size", VALUES, UNIT)


def main(arguments: argparse.Namespace) -> int:
    """Try each value."""
    return sweep(
        arguments,
        "Throughput over the size of a message",
        UNIT,
        lambda value: Load(min(MAX_MESSAGES, MAX_BYTES // value), value, options=arguments.job_options),
    )
