"""Try it on Flink: an embedded queue and database, a standalone Flink cluster on this machine, and the job on it.

Starts PostgreSQL, an SQS API, a Flink cluster (one JobManager, one TaskManager) and a pool of SDK workers, submits the
job and sends sample logins. With --messages it ends when all of them are accounted for; without, it sends and streams
on until Ctrl-C. Flink itself is where --flink_home says; ./run_flink.sh fetches it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from maskline.pipeline.garbage_collection import gc_paused
from maskline.pipeline.hidden_packages import UNUSED_BY_A_JOB, hidden_packages
from maskline.pipeline.options import Options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add("messages", "how many to send, and then end (stream on)", type=int, metavar="N")
    options.add_data_directory()
    options.add("parallelism", "pollers and slots (%(default)s)", type=int, default=1, metavar="N")
    options.add("flink_home", "the directory that holds Flink's bin and lib", type=Path, required=True, metavar="PATH")
    options.add("flink_job_server_jar", "Beam's job server for Flink; Beam fetches it if left out", metavar="PATH|URL")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Start the parts, submit, send, show."""
    with gc_paused(), hidden_packages(UNUSED_BY_A_JOB):
        from maskline.pipeline.flink.demonstration import demonstrate  # takes Beam, which --help does without
    return demonstrate(arguments)
