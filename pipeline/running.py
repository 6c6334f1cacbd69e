"""The command ``run``, with Beam: the checks before the job, the job, and its summary."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from rich.console import Console

from maskline.errors import UsageError
from maskline.extras import naming_extra
from maskline.pipeline.beam_options import (
    check_beam_options,
    check_processes,
    parse_beam_options,
    resolve_runner,
)
from maskline.pipeline.flink.options import set_flink_defaults
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.logs import announce
from maskline.pipeline.preflight import Finding
from maskline.pipeline.run_state import RunState
from maskline.pipeline.runners.cluster import submit_job, with_max_long_poll
from maskline.pipeline.runners.in_process import console_monitor, new_run, run_job
from maskline.pipeline.runners.processes import Worker, run_processes, waiting_workers
from maskline.pipeline.screen import open_screen
from maskline.pipeline.stopping import BackgroundWork, interrupted_by_sigterm
from maskline.pipeline.summary import summary_table
from maskline.pipeline.tables import print_table

if TYPE_CHECKING:
    from maskline.pipeline.telemetry.job_metrics import Follow
    from maskline.pipeline.telemetry.publishing import Publish


def run(
    arguments: argparse.Namespace,
    beam_arguments: Sequence[str],
    job_of_options: Callable[[], JobSettings],
    check: BackgroundWork[list[Finding]],
) -> int:
    """Check all parts of a job, run it, and show the outcomes of its messages.

    Args:
        arguments: With the options of the command ``run``.
        beam_arguments: Beam's own.
        job_of_options: Returns the job that the options describe; what is wrong with Beam's own is told before.
        check: Checks all parts of the job; it may have begun.

    Returns:
        0 when it ended in an orderly way.

    Raises:
        MasklineError: It could not start, or failed.
    """
    options = parse_beam_options(beam_arguments, "run", vars(arguments))
    job = job_of_options()
    runner = resolve_runner(options)
    if not runner.is_in_process and arguments.long_poll_seconds is None:
        job = with_max_long_poll(job)
    check_beam_options(options, job, arguments.allow_cleartext_keyset)
    check_processes(arguments.processes, runner)
    if runner.name == "FlinkRunner":
        options = set_flink_defaults(options, job)
    for option in ("http_port", "otlp_endpoint", "emf_namespace"):
        if getattr(arguments, option) is not None and not runner.is_in_process:
            page = "docs/dataflow.md" if runner.name == "DataflowRunner" else "docs/flink.md"
            raise UsageError(f"{option}: {runner.name} runs the job elsewhere, and has metrics of its own: {page}")
    terminal = open_screen(stderr=True)
    with _workers(arguments, job, beam_arguments) as workers, _showing(arguments, job, terminal) as follow:
        with interrupted_by_sigterm():
            findings = check.result()
        for finding in findings:
            if finding.is_warning:
                announce(f"warning: {finding.part}: {finding.text}", terminal)
        ends = "It ends once polls bring nothing and SQS counts no message. " if job.until_empty else ""
        announce(f"Running on {runner.description}. {ends}Ctrl-C stops.", terminal)
        if not runner.is_in_process:
            return submit_job(job, options, terminal)
        if workers:
            ran = run_processes(workers, terminal, follow)
        else:
            context = new_run()
            follow(lambda: RunState.of(context))
            ran = run_job(job, options, runner, console_monitor(terminal), context)
    print_table(summary_table(ran.counts, ran.seconds))
    complaint = ran.counts.complaint()
    if complaint:
        announce(f"warning: {complaint}", terminal)
    return 0


@contextlib.contextmanager
def _workers(arguments: argparse.Namespace, job: JobSettings, beam_arguments: Sequence[str]) -> Iterator[list[Worker]]:
    """Yield the processes that are to run the job, or none where this one does."""
    if arguments.processes == 1:
        yield []
        return
    with waiting_workers(job, beam_arguments, arguments.processes, arguments.log_level) as workers:
        yield workers


@contextlib.contextmanager
def _showing(arguments: argparse.Namespace, job: JobSettings, terminal: Console) -> Iterator[Follow]:
    """Serve and send the run's metrics while the block runs, as was asked for; yield what is told of its state."""
    if arguments.http_port is None and not arguments.otlp_endpoint and not arguments.emf_namespace:
        yield lambda _state: None
        return
    # A server, a page and a library of metrics, for those who ask for one.
    from maskline.pipeline.http.monitor import HttpMonitor
    from maskline.pipeline.telemetry.job_metrics import JobMetrics
    from maskline.pipeline.telemetry.publishing import Publishing

    publishers = _publishers(arguments, job)
    with contextlib.ExitStack() as parts:
        metrics = parts.enter_context(JobMetrics(job, arguments.stall_seconds, arguments.processes))
        if arguments.http_port is not None:
            monitor = HttpMonitor(job, metrics, arguments.http_host, arguments.http_port, arguments.processes)
            parts.enter_context(monitor)
            announce(f"Serving a page, metrics and probes at {monitor.url}", terminal)
        for publish in publishers:
            parts.enter_context(Publishing(metrics.registry.collect, publish, arguments.publish_seconds))
        yield metrics.follow


def _publishers(arguments: argparse.Namespace, job: JobSettings) -> list[Publish]:
    publishers: list[Publish] = []
    if arguments.otlp_endpoint:
        with naming_extra("otlp_endpoint"):
            from maskline.pipeline.telemetry.otlp import OtlpPublisher
        publishers.append(OtlpPublisher(arguments.otlp_endpoint))
    if arguments.emf_namespace:
        from maskline.pipeline.telemetry.emf import EmfPublisher

        publishers.append(EmfPublisher(arguments.emf_namespace, job.queue.name))
    return publishers
