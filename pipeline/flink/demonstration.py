"""What ``flink`` does: starts a cluster beside queue and database, submits the job, sends messages, and counts."""

from __future__ import annotations

import argparse
import contextlib
import os
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions

from maskline.errors import RunnerError, UsageError
from maskline.pipeline.flink.counts import FlinkCounts
from maskline.pipeline.flink.local_cluster import FlinkCluster
from maskline.pipeline.flink.options import set_flink_defaults
from maskline.pipeline.flink.worker_pool import WorkerPool
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.directory import LocalDirectory
from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.pipeline.local.report import show_results
from maskline.pipeline.local.sender import SampleSender
from maskline.pipeline.local.setup import forget_earlier_runs, prepare_job
from maskline.pipeline.local.sqs import CREDENTIALS, EmbeddedSqs
from maskline.pipeline.run_progress import showing_progress
from maskline.pipeline.run_state import RunState
from maskline.pipeline.runners.cluster import JOB_SERVER_FAILURES, submit_by_job_server
from maskline.pipeline.runners.in_process import RunMonitor, RunResult
from maskline.pipeline.screen import open_screen
from maskline.pipeline.stopping import interrupted_by_sigterm, stopping_on_signals
from maskline.pipeline.summary import RunCounts
from maskline.sqs import SqsQueue

LOOK_SECONDS = 0.5
RUNNING_SECONDS = 300.0
"""How long Flink may take until it runs a job that it was given; it starts all its workers first."""

LAST_COUNTS_SECONDS = 20.0
"""How long Flink's counts, which come with its heartbeats, are waited for when the queue is empty."""

SLOTS = 4


def demonstrate(arguments: argparse.Namespace) -> int:
    """Start the parts, submit, send, show.

    Args:
        arguments: Those of ``flink``.

    Returns:
        The exit code.

    Raises:
        UsageError: An option is not as it has to be; nothing was started.
        RunnerError: Flink did not run the job.
    """
    if arguments.messages is not None and arguments.messages < 0:
        raise UsageError(f"messages is {arguments.messages}; it must be 0 or more")
    if not 1 <= arguments.parallelism <= SLOTS:
        raise UsageError(f"parallelism is {arguments.parallelism}; it must be from 1 to {SLOTS}, the cluster's slots")
    if not (arguments.flink_home / "bin" / "jobmanager.sh").exists():
        raise UsageError(f"flink_home {arguments.flink_home}: Flink is not there; ./run_flink.sh fetches it")
    os.environ.update(CREDENTIALS)
    console = open_screen()
    with LocalDirectory(arguments.data_directory) as directory:
        if arguments.fresh:
            forget_earlier_runs(directory)
        console.print(f"Starting PostgreSQL, SQS and Flink; their data are in {directory.path}", soft_wrap=True)
        with (
            interrupted_by_sigterm(),
            EmbeddedPostgres(directory.postgres) as postgres,
            EmbeddedSqs(directory.sqs) as sqs,
            FlinkCluster(arguments.flink_home.resolve(), directory.flink, SLOTS) as cluster,
            WorkerPool(directory.path / "workers.txt") as workers,
        ):
            job = msgspec.structs.replace(
                prepare_job(directory, postgres, sqs, until_empty=False), pollers=arguments.parallelism
            )
            options = set_flink_defaults(_options(arguments, cluster, workers), job)
            started_at = datetime.now(UTC)
            with _submitted(job, options, cluster) as job_id:
                console.print(
                    f"Flink's interface: http://{cluster.address}/#/job/running/{job_id}/overview", soft_wrap=True
                )
                ran = _send_and_watch(job, directory, arguments.messages, FlinkCounts(cluster, job_id))
            show_results(console, job, ran, started_at)
    return 0


def _options(arguments: argparse.Namespace, cluster: FlinkCluster, workers: WorkerPool) -> PipelineOptions:
    flags = [
        "--runner=FlinkRunner",
        "--streaming",
        f"--flink_master={cluster.address}",
        "--environment_type=EXTERNAL",
        f"--environment_config={workers.address}",
        f"--parallelism={arguments.parallelism}",
    ]
    if arguments.flink_job_server_jar:
        flags.append(f"--flink_job_server_jar={arguments.flink_job_server_jar}")
    return PipelineOptions(flags)


@contextlib.contextmanager
def _submitted(job: JobSettings, options: PipelineOptions, cluster: FlinkCluster) -> Iterator[str]:
    """Have the job run on the cluster while the block does."""
    pipeline = beam.Pipeline(options=options)
    build(pipeline, job)
    result = submit_by_job_server(pipeline)
    try:
        yield _running_job(cluster)
    finally:
        with contextlib.suppress(*JOB_SERVER_FAILURES):  # the runner calls a canceled job a failed one
            result.cancel()
            result.wait_until_finish()


def _running_job(cluster: FlinkCluster) -> str:
    give_up = time.monotonic() + RUNNING_SECONDS
    while time.monotonic() < give_up:
        jobs = cluster.rest("/jobs/overview")["jobs"]
        if jobs and jobs[0]["state"] == "RUNNING":
            return str(jobs[0]["jid"])
        if jobs and jobs[0]["state"] in ("FAILED", "CANCELED"):
            raise RunnerError(f"flink: the job {jobs[0]['state'].lower()}; see {cluster.log_directory}")
        time.sleep(0.1)
    raise RunnerError(f"flink: the job does not run after {RUNNING_SECONDS:.0f} s; see {cluster.log_directory}")


def _send_and_watch(job: JobSettings, directory: LocalDirectory, count: int | None, counts: FlinkCounts) -> RunResult:
    terminal = open_screen(stderr=True)
    stopping = threading.Event()
    queue = SqsQueue.open(job.queue)
    sender = SampleSender(queue, directory, count, stopping)
    monitor = RunMonitor(time.monotonic, lambda: RunState(RunCounts.of(counts)))
    terminal.print("Sending sample messages. Ctrl-C stops.")
    with stopping_on_signals(stopping, terminal), showing_progress(monitor.snapshot, terminal):
        sender.start()
        while not stopping.is_set() and (sender.is_alive() or queue.depth().total):
            stopping.wait(LOOK_SECONDS)
            monitor.snapshot()
        sender.join()
        _await_last_counts(monitor)
    if sender.failure is not None:
        raise sender.failure
    return RunResult(monitor.snapshot().counts, monitor.seconds, stopping.is_set())


def _await_last_counts(monitor: RunMonitor) -> None:
    """Wait until Flink's counts have caught up with the queue, or do not any more."""
    give_up = time.monotonic() + LAST_COUNTS_SECONDS
    while time.monotonic() < give_up:
        counts = monitor.snapshot().counts
        if counts.received and counts.received == counts.deleted + counts.delete_failures:
            return
        time.sleep(LOOK_SECONDS)
