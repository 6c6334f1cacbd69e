"""Submitting the job to a cluster, where its own metrics and its own interface show how it goes."""

from __future__ import annotations

import contextlib
import signal
from typing import Any

import apache_beam as beam
import grpc
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from rich.console import Console

from maskline.errors import RunnerError, UsageError
from maskline.pipeline.dataflow.submission import DataflowJob, dataflow_failures
from maskline.pipeline.flink.submission import APPEAR_SECONDS, FlinkSubmission
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.logs import announce
from maskline.pipeline.stopping import STOPPED_EXIT_CODE, BackgroundWork, interrupted_by_sigterm
from maskline.sqs.connections import MAX_WAIT_SECONDS

JOB_SERVER_FAILURES = (RuntimeError, OSError, grpc.RpcError, grpc.FutureTimeoutError)
"""What Beam raises where a job server, or the job that it was given, fails."""


def with_max_long_poll(job: JobSettings) -> JobSettings:
    """Return a job whose polls of an empty queue last as long as SQS allows, unless it ends with the queue.

    A Ctrl-C here waits for no poll on a cluster, SQS bills each, and Beam's Flink runner before 2.76 keeps something of
    each.

    Args:
        job: The job.
    """
    if job.until_empty:
        return job
    receive = msgspec.structs.replace(job.receive, long_poll_seconds=MAX_WAIT_SECONDS)
    return msgspec.structs.replace(job, receive=receive)


def submit_job(job: JobSettings, options: PipelineOptions, terminal: Console) -> int:
    """Submit the job, and wait until it ends; Ctrl-C or SIGTERM cancels it.

    Args:
        job: The job.
        options: Beam's options, with the runner.
        terminal: Is told what a signal has led to.

    Returns:
        0 when the job ended in an orderly way, `STOPPED_EXIT_CODE` when a signal had it canceled: whoever keeps jobs
        running, Kubernetes for one, then submits it again elsewhere.

    Raises:
        UsageError: Beam refuses an option of its own.
        RunnerError: The runner could not be reached, the job failed there, or it could not be canceled.
    """
    runner = options.view_as(StandardOptions).runner
    flink = FlinkSubmission(options) if runner == "FlinkRunner" else None
    is_on_dataflow = runner == "DataflowRunner"
    failures: tuple[type[Exception], ...] = JOB_SERVER_FAILURES
    if is_on_dataflow:
        failures = (RuntimeError, *dataflow_failures())
    try:
        with interrupted_by_sigterm():
            pipeline = _pipeline(options)
            build(pipeline, job)
            if is_on_dataflow:
                return _run_on_dataflow(pipeline, options, terminal)
            return _run_by_job_server(pipeline, flink, terminal)
    except failures as error:
        raise RunnerError(f"the runner reported: {_reason(error)}") from error


def submit_by_job_server(pipeline: beam.Pipeline) -> Any:
    """Submit a pipeline to a job server, which Beam may start for it, and return what Beam returns.

    Until it is submitted a Ctrl-C stops that job server, as Beam has it. From then on it does what it did before, for
    it is over that job server that the job is canceled.

    Args:
        pipeline: The pipeline.
    """
    handler = signal.getsignal(signal.SIGINT)
    result = pipeline.run()
    signal.signal(signal.SIGINT, handler)
    return result


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.FutureTimeoutError):
        return "the job server does not answer"
    if isinstance(error, grpc.Call):  # whose text is of many lines, the first of which says nothing
        return f"the job server answered {error.code().name}: {error.details()}"
    return next(iter(str(error).splitlines()), type(error).__name__)


def _pipeline(options: PipelineOptions) -> beam.Pipeline:
    try:
        return beam.Pipeline(options=options)
    except ValueError as error:
        _, *complaints = str(error).splitlines()  # the first says that there are some
        raise UsageError(f"Beam refuses its options: {' '.join(complaints) or error}") from error


def _run_on_dataflow(pipeline: beam.Pipeline, options: PipelineOptions, terminal: Console) -> int:
    exit_code = 0
    submission = BackgroundWork(lambda: DataflowJob(pipeline.run(), options), "submission")
    try:
        announce("Submitting the job to Dataflow. Ctrl-C cancels it.", terminal)
        job = submission.result()
        announce(f"Dataflow has taken job {job.name}.", terminal)
        state = BackgroundWork(job.wait, "job-end").result()
    except KeyboardInterrupt:
        announce("Canceling the job at Dataflow, which takes it minutes. Ctrl-C once more does not wait.", terminal)
        # A request that is on its way cannot be called back: what Dataflow takes after a Ctrl-C is canceled, too.
        job = submission.result()
        job.cancel()
        state = BackgroundWork(job.wait, "job-end").result()
        exit_code = STOPPED_EXIT_CODE
    announce(f"Dataflow says that the job is {state}.", terminal)
    return exit_code


def _run_by_job_server(pipeline: beam.Pipeline, flink: FlinkSubmission | None, terminal: Console) -> int:
    try:
        result = submit_by_job_server(pipeline)
    except KeyboardInterrupt:
        if flink is not None:
            _cancel_on_flink(flink, terminal)
        raise
    # In a thread, for Beam's own wait closes its connection when interrupted, and nothing could be canceled over it.
    end = BackgroundWork(result.wait_until_finish, "job-end")
    try:
        end.result()
    except KeyboardInterrupt:
        if flink is None:
            result.cancel()
            with contextlib.suppress(*JOB_SERVER_FAILURES):  # Beam takes a canceled job for one that failed
                end.result()
        else:
            # Beam's own job server may have ended: a terminal sends it a Ctrl-C, too.
            with contextlib.suppress(grpc.RpcError):
                result.cancel()
            _cancel_on_flink(flink, terminal)
        return STOPPED_EXIT_CODE
    return 0


def _cancel_on_flink(submission: FlinkSubmission, terminal: Console) -> None:
    announce("Canceling the job at Flink. Ctrl-C once more leaves it as it is.", terminal)
    job_id = submission.cancel()
    if job_id is None:
        announce(f"Flink was not given the job within {APPEAR_SECONDS} s.", terminal)
    else:
        announce(f"Flink has canceled job {job_id}.", terminal)
