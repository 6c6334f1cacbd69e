"""What ``local`` does: starts queue and database, sends messages, runs the job, and shows what became of them."""

from __future__ import annotations

import argparse
import contextlib
import os
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console

from maskline.errors import UsageError
from maskline.pipeline.beam_options import Runner, parse_beam_options, resolve_runner
from maskline.pipeline.http.monitor import HttpMonitor
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.directory import LocalDirectory
from maskline.pipeline.local.own_messages import own_messages
from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.pipeline.local.report import next_steps, show_results
from maskline.pipeline.local.sender import SampleSender
from maskline.pipeline.local.setup import SAMPLED_STREAM, forget_earlier_runs, prepare_job
from maskline.pipeline.local.sqs import CREDENTIALS, EmbeddedSqs
from maskline.pipeline.options import DATA_DIRECTORY
from maskline.pipeline.program import CONSOLE_SCRIPT, program_name
from maskline.pipeline.run_state import RunState
from maskline.pipeline.runners.in_process import RunResult, console_monitor, new_run, run_job
from maskline.pipeline.screen import open_screen
from maskline.pipeline.telemetry.job_metrics import JobMetrics
from maskline.records import OutgoingMessage
from maskline.sqs import SqsQueue
from maskline.streams.definition import load_stream
from maskline.transforms.run_context import RunContext


def demonstrate(arguments: argparse.Namespace, beam_arguments: Sequence[str]) -> int:
    """Start the parts, send, run, show.

    Args:
        arguments: Those of ``local``.
        beam_arguments: Beam's own.

    Returns:
        The exit code.

    Raises:
        UsageError: An option is not as it has to be; nothing was started.
    """
    if arguments.messages < 0:
        raise UsageError(f"messages is {arguments.messages}; it must be 0 or more")
    options = parse_beam_options(beam_arguments, "local", vars(arguments))
    runner = resolve_runner(options)
    if not runner.is_in_process:
        raise UsageError(f"runner {runner.name}: local runs on DirectRunner; for a cluster see: run --help")
    stream = load_stream(arguments.stream)
    is_sampled = arguments.stream == SAMPLED_STREAM
    own = own_messages(stream, arguments.send) if arguments.send or not is_sampled else None
    if arguments.lake:
        if not is_sampled:
            raise UsageError("lake: shows sample logins; publish a stream of your own with: lake publish --stream FILE")
        # Takes what the extra `lake` brings and a job does without: said here, before anything is started.
        from maskline.pipeline.local.lake import publish_locally
    os.environ.update(CREDENTIALS)
    console = open_screen()
    with LocalDirectory(arguments.data_directory) as directory:
        if arguments.fresh:
            forget_earlier_runs(directory)
        console.print(f"Starting PostgreSQL and SQS; their data are in {directory.path}", soft_wrap=True)
        with EmbeddedPostgres(directory.postgres) as postgres, EmbeddedSqs(directory.sqs) as sqs:
            job = prepare_job(
                directory, postgres, sqs, None if is_sampled else stream, until_empty=not arguments.follow
            )
            steps = next_steps(
                job, postgres, arguments.stream, _start_again(arguments), directory.lake if arguments.lake else None
            )
            if arguments.follow:
                console.print(steps, soft_wrap=True, markup=False)
            started_at = datetime.now(UTC)
            context = new_run()
            with _serving(arguments, job, console, context):
                count = None if arguments.follow else arguments.messages
                sending = _sending(job, directory, count, own, context)
                ran = _send_and_run(job, sending, options, runner, context)
            show_results(console, job, ran, started_at)
            if arguments.lake:
                publish_locally(console, job, directory)
            if not arguments.follow:
                console.print(steps, soft_wrap=True, markup=False)
    return 0


@contextlib.contextmanager
def _serving(arguments: argparse.Namespace, job: JobSettings, console: Console, context: RunContext) -> Iterator[None]:
    """Serve the run over HTTP while the block runs, where it streams on or a port is given."""
    if arguments.http_port is None and not arguments.follow:
        yield
        return
    port = arguments.http_port or 0
    with (
        JobMetrics(job, arguments.stall_seconds) as metrics,
        HttpMonitor(job, metrics, arguments.http_host, port) as monitor,
    ):
        metrics.follow(lambda: RunState.of(context))
        console.print(f"Watch it at {monitor.url}", soft_wrap=True)
        yield


def _start_again(arguments: argparse.Namespace) -> str | None:
    """Return the command that keeps all of it running, or None where this one does."""
    if arguments.follow:
        return None
    given = {
        "stream": arguments.stream if arguments.stream != SAMPLED_STREAM else None,
        "send": arguments.send,
        "data_directory": str(arguments.data_directory) if arguments.data_directory != DATA_DIRECTORY else None,
    }
    options = [f"--{name} {shlex.quote(value)}" for name, value in given.items() if value]
    command = f"{CONSOLE_SCRIPT} local" if program_name() == CONSOLE_SCRIPT else "./run_local.sh"
    return " ".join([command, "--follow", *options])


def _sending(
    job: JobSettings,
    directory: LocalDirectory,
    count: int | None,
    own: Sequence[OutgoingMessage] | None,
    context: RunContext,
) -> SampleSender:
    """Begin to send: samples, or messages of the user's own, once."""
    queue = SqsQueue.open(job.queue)
    if own is not None:
        queue.send(own)
        count = 0
    sender = SampleSender(queue, directory, count, context.stopping)
    sender.start()
    sender.is_ahead.wait()
    return sender


def _send_and_run(
    job: JobSettings, sender: SampleSender, options: PipelineOptions, runner: Runner, context: RunContext
) -> RunResult:
    terminal = open_screen(stderr=True)
    terminal.print(f"Running on {runner.description}. Ctrl-C stops.", soft_wrap=True)
    ran = run_job(job, options, runner, console_monitor(terminal), context)
    # Should the job ever have seen the queue empty while the sender was between two portions, there is more to do.
    while sender.is_alive() and not ran.was_stopped:
        ran = run_job(job, options, runner, console_monitor(terminal), context)
    sender.join()
    if sender.failure is not None:
        raise sender.failure
    return ran
