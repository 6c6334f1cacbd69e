"""The whole job on one screen.

There is no shuffle below ``Receive from SQS``: docs/design.md says why it has to stay so.
"""

from __future__ import annotations

import functools

import apache_beam as beam
import msgspec

from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.lease import VisibilityLease
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.transforms import DeleteFromSqs, MaskPii, MicroBatch, ReadFromSqs, WriteRejections, WriteToPostgres

REJECTIONS, ROW_REJECTIONS = "rejections", "row_rejections"
BRANCHES = (REJECTIONS, ROW_REJECTIONS)
"""What the metrics of the branches beside that of the rows begin with."""


class JobSettings(msgspec.Struct, frozen=True):
    """All that the job needs to know.

    Attributes:
        stream: What the messages look like and where they go.
        queue: The queue they come from.
        postgres: The database, as a data source name without a password.
        keyset: The URI of the keyset they are masked under.
        receive: How they are received.
        pollers: How many pollers receive them.
        until_empty: Whether to end once the queue is empty.
        db_retry_seconds: How long a micro-batch is retried while Postgres is not available.
    """

    stream: StreamDefinition
    queue: QueueAddress
    postgres: str
    keyset: str
    receive: ReceiveSettings = ReceiveSettings()
    pollers: int = 1
    until_empty: bool = False
    db_retry_seconds: float = 300


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
        | "Write rejected rows" >> WriteRejections(*sink, branch=ROW_REJECTIONS)
        | "Delete rejected rows' messages" >> DeleteFromSqs(job.queue, ROW_REJECTIONS, overlapping=True)
    )
