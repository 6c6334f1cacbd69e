"""The whole job on one screen.

There is no shuffle below ``Receive from SQS``: docs/design.md says why it has to stay so.
"""

from __future__ import annotations

import functools

import apache_beam as beam

from maskline.pipeline.job_settings import JobSettings
from maskline.sqs.lease import VisibilityLease
from maskline.sqs.message_attributes import EVERY_ATTRIBUTE
from maskline.transforms import (
    DeleteFromSqs,
    MaskPii,
    ReadFromSqs,
    ReturnToSqs,
    WriteRejections,
    WriteToPostgres,
)
from maskline.transforms.run_context import RunContext

REJECTIONS, ROW_REJECTIONS = "rejections", "row_rejections"
BRANCHES = (REJECTIONS, ROW_REJECTIONS)
"""What the metrics of the branches beside that of the rows begin with."""


def build(pipeline: beam.Pipeline, job: JobSettings, context: RunContext | None = None) -> None:
    """Add the job to a pipeline.

    Args:
        pipeline: An empty pipeline, on any runner.
        job: The job.
        context: The run, where it is started in this process; one that nobody holds if left out.
    """
    context = context or RunContext()
    lease = VisibilityLease(job.queue, job.receive.visibility_timeout_seconds)
    # All of them, for a rejected message is deleted, and has to be sent back as it was.
    attributes = [EVERY_ATTRIBUTE]
    read = ReadFromSqs(
        job.queue,
        job.receive,
        job.pollers,
        job.until_empty,
        context=context,
        attribute_names=attributes,
        in_micro_batches=True,
    )
    by_stream = len(job.streams) > 1
    write_rejections = functools.partial(
        WriteRejections, job.postgres, job.db_retry_seconds, lease, context=context, by_stream=by_stream
    )
    delete = functools.partial(DeleteFromSqs, job.queue, overlapping=True, context=context)

    micro_batches = pipeline | "Receive from SQS" >> read
    masked, rejected, *left = micro_batches | "Mask" >> MaskPii(
        job.stream, job.keyset, context, job.unmatched, job.stop_when_rejected, job.hash_keyset
    )
    committed, rejected_rows = masked | "Write rows" >> WriteToPostgres(
        job.stream, job.postgres, job.db_retry_seconds, lease, context, overlapping=True
    )
    committed | "Delete rows' messages" >> delete(deletes_payloads=job.stream.deletes_payloads)
    (
        rejected
        | "Write rejections" >> write_rejections(branch=REJECTIONS)
        | "Delete rejections' messages" >> delete(branch=REJECTIONS)
    )
    (
        rejected_rows
        | "Write rejected rows" >> write_rejections(branch=ROW_REJECTIONS)
        | "Delete rejected rows' messages" >> delete(branch=ROW_REJECTIONS)
    )
    for unmatched in left:
        unmatched | "Leave unmatched" >> ReturnToSqs(job.queue, context)
