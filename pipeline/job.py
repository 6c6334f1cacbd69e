"""The whole job on one screen.

There is no shuffle below ``Receive from SQS``: docs/design.md says why it has to stay so.
"""

from __future__ import annotations

import functools

import apache_beam as beam

from maskline.pipeline.job_settings import JobSettings
from maskline.sqs import SqsQueue
from maskline.sqs.lease import VisibilityLease
from maskline.transforms import DeleteFromSqs, MaskPii, MicroBatch, ReadFromSqs, WriteRejections, WriteToPostgres

REJECTIONS, ROW_REJECTIONS = "rejections", "row_rejections"
BRANCHES = (REJECTIONS, ROW_REJECTIONS)
"""What the metrics of the branches beside that of the rows begin with."""


def build(pipeline: beam.Pipeline, job: JobSettings) -> None:
    """Add the job to a pipeline.

    Args:
        pipeline: An empty pipeline, on any runner.
        job: The job.
    """
    lease = VisibilityLease(functools.partial(SqsQueue.open, job.queue), job.receive.visibility_seconds)
    sink = (job.stream, job.postgres, job.db_retry_seconds, lease)

    messages = pipeline | "Receive from SQS" >> ReadFromSqs(job.queue, job.receive, job.pollers, job.until_empty)
    masked, rejected = messages | "Mask" >> MaskPii(job.stream, job.keyset)
    committed, rejected_rows = (
        masked | "Batch rows" >> MicroBatch(job.receive.size) | "Write rows" >> WriteToPostgres(*sink)
    )
    committed | "Delete rows' messages" >> DeleteFromSqs(job.queue, overlapping=True)
    (
        rejected
        | "Batch rejections" >> MicroBatch(job.receive.size)
        | "Write rejections" >> WriteRejections(*sink, branch=REJECTIONS)
        | "Delete rejections' messages" >> DeleteFromSqs(job.queue, REJECTIONS, overlapping=True)
    )
    (
        rejected_rows
        | "Write refused rows" >> WriteRejections(*sink, branch=ROW_REJECTIONS)
        | "Delete refused rows' messages" >> DeleteFromSqs(job.queue, ROW_REJECTIONS, overlapping=True)
    )
