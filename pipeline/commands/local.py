"""Try it: an embedded queue and database, sample messages, and the very same job that `run` runs.

Starts PostgreSQL and an SQS API on this machine, makes the queue, the table as its owner made it and a keyset, migrates
the table, sends sample logins and runs the job until the queue is empty. The data stay in --data_directory, and a
second run sends the messages that come next.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from maskline.errors import UsageError
from maskline.sqs import SqsQueue
from pipeline.beam_options import Engine, choose_engine, parse_beam_options
from pipeline.job import JobSettings
from pipeline.local.directory import LocalDirectory
from pipeline.local.lake import publish_locally
from pipeline.local.postgres import EmbeddedPostgres
from pipeline.local.preparing import forget_earlier_runs, prepare_job
from pipeline.local.sending import SampleSender
from pipeline.local.showing import next_steps, show_results
from pipeline.local.sqs import CREDENTIALS, EmbeddedSqs
from pipeline.running import Ran, attended_on, run_job
from transforms.control import CONTROL

TAKES_BEAM_OPTIONS = True
DEFAULT_DIRECTORY = Path(".maskline")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--messages", type=int, default=100, metavar="N", help="how many to send (%(default)s)")
    parser.add_argument("--follow", action="store_true", help="keep sending and streaming until Ctrl-C")
    parser.add_argument("--fresh", action="store_true", help="forget the data of earlier runs first")
    parser.add_argument("--lake", action="store_true", help="publish to a data lake, too, and show both copies")
    parser.add_argument("--data_directory", type=Path, default=DEFAULT_DIRECTORY, help="where data live (%(default)s)")


def main(arguments: argparse.Namespace, beam_arguments: Sequence[str]) -> int:
    """Start the parts, send, run, show."""
    if arguments.messages < 0:
        raise UsageError(f"messages is {arguments.messages}; it must be 0 or more")
    options = parse_beam_options(beam_arguments, command="local")
    engine = choose_engine(options)
    if not engine.is_in_process:
        raise UsageError(f"runner {engine.runner}: local runs on DirectRunner; for a cluster see: run --help")
    os.environ.update(CREDENTIALS)
    console = Console(highlight=False)
    with LocalDirectory(arguments.data_directory) as directory:
        if arguments.fresh:
            forget_earlier_runs(directory)
        console.print(f"Starting PostgreSQL and SQS; their data are in {directory.path}", soft_wrap=True)
        with EmbeddedPostgres(directory.postgres) as postgres, EmbeddedSqs(directory.sqs) as sqs:
            job = prepare_job(directory, postgres, sqs, until_empty=not arguments.follow)
            steps = next_steps(job, postgres, directory.lake if arguments.lake else None)
            if arguments.follow:
                console.print(steps, soft_wrap=True, markup=False)
            started_at = datetime.now(UTC)
            ran = _send_and_run(job, directory, None if arguments.follow else arguments.messages, options, engine)
            show_results(console, job, ran, started_at)
            if arguments.lake:
                publish_locally(console, job, directory)
            if not arguments.follow:
                console.print(steps, soft_wrap=True, markup=False)
    return 0


def _send_and_run(
    job: JobSettings, directory: LocalDirectory, count: int | None, options: PipelineOptions, engine: Engine
) -> Ran:
    terminal = Console(stderr=True, highlight=False)
    queue = SqsQueue.open(job.queue)
    sender = SampleSender(queue, directory, count, CONTROL.stopping)
    sender.start()
    sender.is_ahead.wait()
    terminal.print(f"Running on {engine.description}. Ctrl-C stops.", soft_wrap=True)
    ran = run_job(job, options, engine, attended_on(terminal))
    # Should the job ever have seen the queue empty while the sender was between two portions, there is more to do.
    while sender.is_alive() and not ran.was_stopped:
        ran = run_job(job, options, engine, attended_on(terminal))
    sender.join()
    if sender.failure is not None:
        raise sender.failure
    return ran
