"""Submitting the job to a cluster, where its own metrics and its own interface show how it goes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions

from maskline.errors import UnavailableError
from maskline.sqs.connections import LONGEST_WAIT_SECONDS
from pipeline.job import JobSettings, build


def polling_at_length(job: JobSettings) -> JobSettings:
    """Return a job whose polls of an empty queue last as long as SQS allows, unless it ends with the queue.

    A Ctrl-C here waits for no poll on a cluster, SQS bills each, and Beam's Flink runner before 2.76 keeps something of
    each.

    Args:
        job: The job.
    """
    if job.until_empty:
        return job
    receive = msgspec.structs.replace(job.receive, long_poll_seconds=LONGEST_WAIT_SECONDS)
    return msgspec.structs.replace(job, receive=receive)


def submit_job(job: JobSettings, options: PipelineOptions) -> int:
    """Submit the job, and wait until it ends; Ctrl-C cancels it.

    Args:
        job: The job.
        options: Beam's options, with the runner.

    Returns:
        0 when the job ended in an orderly way.

    Raises:
        UnavailableError: The runner could not be reached, or the job failed there.
    """
    pipeline = beam.Pipeline(options=options)
    build(pipeline, polling_at_length(job))
    try:
        result: Any = pipeline.run()
        # Beam's own wait closes its connection when it is interrupted, and nothing could be canceled over it.
        with ThreadPoolExecutor(1, thread_name_prefix="job-end") as threads:
            try:
                threads.submit(result.wait_until_finish).result()
            except KeyboardInterrupt:
                result.cancel()
    except (RuntimeError, OSError) as error:
        raise UnavailableError(f"the runner reported: {str(error).splitlines()[0]}") from error
    return 0
