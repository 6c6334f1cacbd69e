"""The whole job on one screen.

There is no shuffle below ``Receive from SQS``: docs/design.md says why it has to stay so.
"""

from __future__ import annotations

import functools

import apache_beam as beam
import msgspec

from maskline.keys import KeysetUri
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.sqs.lease import VisibilityLease
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.transforms import DeleteFromSqs, MaskPii, MicroBatch, ReadFromSqs, WriteRejections, WriteToPostgres
from maskline.transforms.run_context import RunContext

REJECTIONS, ROW_REJECTIONS = "rejections", "row_rejections"
BRANCHES = (REJECTIONS, ROW_REJECTIONS)
"""What the metrics of the branches beside that of the rows begin with."""


class JobSettings(msgspec.Struct, frozen=True):
    """All that the job needs to know.

    Attributes:
        stream: What the messages look like and where they go.
        queue: The queue they come from.
        postgres: The database.
        keyset: The keyset they are masked under.
        receive: How they are received.
        pollers: How many pollers receive them.
        until_empty: Whether to end once the queue is empty.
        db_retry_seconds: How long a micro-batch is retried while Postgres is not available.
    """

    stream: StreamDefinition
    queue: QueueAddress
    postgres: PostgresDsn
    keyset: KeysetUri
    receive: ReceiveSettings = ReceiveSettings()
    pollers: int = 1
    until_empty: bool = False
    db_retry_seconds: float = 300


def build(pipeline: beam.Pipeline, job: JobSettings, context: RunContext | None = None) -> None:
    """Add the job to a pipeline.

    Args:
        pipeline: An empty pipeline, on any runner.
        job: The job.
        context: The run, where it is started in this process; one that nobody holds if left out.
    """
    context = context or RunContext()
    lease = VisibilityLease(job.queue, job.receive.visibility_timeout_seconds)
    read = ReadFromSqs(job.queue, job.receive, job.pollers, job.until_empty, context=context)
    write_rejections = functools.partial(
        WriteRejections, job.stream, job.postgres, job.db_retry_seconds, lease, context=context
    )
    delete = functools.partial(DeleteFromSqs, job.queue, overlapping=True, context=context)

    messages = pipeline | "Receive from SQS" >> read
    masked, rejected = messages | "Mask" >> MaskPii(job.stream, job.keyset, context)
    committed, rejected_rows = (
        masked
        | "Batch rows" >> MicroBatch(job.receive.micro_batch_size)
        | "Write rows" >> WriteToPostgres(job.stream, job.postgres, job.db_retry_seconds, lease, context)
    )
    committed | "Delete rows' messages" >> delete()
    (
        rejected
        | "Batch rejections" >> MicroBatch(job.receive.micro_batch_size)
        | "Write rejections" >> write_rejections(branch=REJECTIONS)
        | "Delete rejections' messages" >> delete(branch=REJECTIONS)
    )
    (
        rejected_rows
        | "Write refused rows" >> write_rejections(branch=ROW_REJECTIONS)
        | "Delete refused rows' messages" >> delete(branch=ROW_REJECTIONS)
    )
