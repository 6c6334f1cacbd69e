"""Measure what more pollers in one job gain, on Prism: FnApiRunner lets them poll one after another.

Prism is Beam's other engine on one machine; where Go is installed, run_tests.sh builds it into .cache.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from benchmarks.consumers import PROJECT
from benchmarks.sweeps import add_sweep_options, sweep
from benchmarks.transfer import Load
from maskline.errors import SetupError

VALUES = (1, 2, 4, 8)
UNIT = "--pollers"
MESSAGES = 20_000
PRISM = Path(os.environ.get("PRISM_LOCATION", PROJECT / ".cache" / "prism" / "prism"))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sweep_options(parser, "pollers", VALUES, UNIT)


def main(arguments: argparse.Namespace) -> int:
    """Try each value.

    Raises:
        SetupError: Prism is not there.
    """
    if not PRISM.exists():
        raise SetupError(
            f"Prism is not in {PRISM}; run_tests.sh builds it where Go is installed, or set PRISM_LOCATION"
        )
    options = (f"--prism_location={PRISM}", *arguments.job_options)
    return sweep(
        arguments,
        "Throughput over the number of pollers, Prism",
        UNIT,
        lambda value: Load(MESSAGES, options=(f"--pollers={value}", *options)),
    )
