"""Submitting the job to a cluster, where its own metrics and its own interface show how it goes."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions
from rich.console import Console

from maskline.errors import RunnerError, UsageError
from maskline.pipeline.dataflow.submission import DataflowJob, dataflow_failures
from maskline.pipeline.flink.submission import APPEAR_SECONDS, FlinkSubmission
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.logs import announce
from maskline.pipeline.stopping import BackgroundWork
from maskline.sqs.connections import MAX_WAIT_SECONDS


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
    """Submit the job, and wait until it ends; Ctrl-C cancels it.

    Args:
        job: The job.
        options: Beam's options, with the runner.
        terminal: Is told what a Ctrl-C has led to.

    Returns:
        0 when the job ended in an orderly way.

    Raises:
        UsageError: Beam refuses an option of its own.
        RunnerError: The runner could not be reached, the job failed there, or it could not be canceled.
    """
    runner = options.view_as(StandardOptions).runner
    flink = FlinkSubmission(options) if runner == "FlinkRunner" else None
    is_on_dataflow = runner == "DataflowRunner"
    failures: tuple[type[Exception], ...] = (RuntimeError, *(dataflow_failures() if is_on_dataflow else (OSError,)))
    try:
        pipeline = _pipeline(options)
        build(pipeline, job)
        if is_on_dataflow:
            _run_on_dataflow(pipeline, options, terminal)
            return 0
        result = _started(pipeline, flink, terminal)
        # Beam's own wait closes its connection when it is interrupted, and nothing could be canceled over it.
        with ThreadPoolExecutor(1, thread_name_prefix="job-end") as threads:
            try:
                threads.submit(result.wait_until_finish).result()
            except KeyboardInterrupt:
                result.cancel()
                _cancel_on_flink(flink, terminal)
    except failures as error:
        raise RunnerError(f"the runner reported: {str(error).splitlines()[0]}") from error
    return 0


def _pipeline(options: PipelineOptions) -> beam.Pipeline:
    try:
        return beam.Pipeline(options=options)
    except ValueError as error:
        _, *complaints = str(error).splitlines()  # the first says that there are some
        raise UsageError(f"Beam refuses its options: {' '.join(complaints) or error}") from error


def _run_on_dataflow(pipeline: beam.Pipeline, options: PipelineOptions, terminal: Console) -> None:
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
    announce(f"Dataflow says that the job is {state}.", terminal)


def _started(pipeline: beam.Pipeline, submission: FlinkSubmission | None, terminal: Console) -> Any:
    handler = signal.getsignal(signal.SIGINT)
    try:
        result = pipeline.run()
    except KeyboardInterrupt:
        _cancel_on_flink(submission, terminal)
        raise
    # Beam would stop its job server at a Ctrl-C, over which the job is to be canceled.
    signal.signal(signal.SIGINT, handler)
    return result


def _cancel_on_flink(submission: FlinkSubmission | None, terminal: Console) -> None:
    if submission is None:
        return
    terminal.print("Canceling the job at Flink. Ctrl-C once more leaves it as it is.")
    job_id = submission.cancel()
    if job_id is None:
        terminal.print(f"Flink was not given the job within {APPEAR_SECONDS} s.", highlight=False)
    else:
        terminal.print(f"Flink has canceled job {job_id}.", highlight=False)
