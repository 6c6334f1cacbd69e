"""The Postgres sink: micro-batches of masked rows in, receipts of what is committed out."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

import apache_beam as beam
from apache_beam import pvalue

from maskline.postgres.connection import Connect, check_dsn, connect
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import WriteOutcome
from maskline.records import MaskedRow, Receipt, Rejection
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition
from maskline.streams.masking import rejected_by_database
from maskline.transforms.metrics import END_TO_END_LATENCY_MILLISECONDS, WRITTEN
from maskline.transforms.sink import CommitBatch, committed_receipts

COMMITTED_TAG = "committed"
REJECTED_ROWS_TAG = "rejected"


class WriteToPostgres(beam.PTransform):
    """Writes micro-batches of masked rows, each in one transaction, and then emits their receipts.

    *Guarantee*: a receipt is emitted only for a row that is committed. A message delivered again makes no second row.
    While Postgres is not available a micro-batch is retried with exponential back-off and jitter; after
    `retry_seconds` the bundle fails, no receipt was emitted, and SQS delivers the messages again. Rows that Postgres
    does not take (too long, a constraint) are found by bisection, and the good ones beside them are committed.

    Returns two PCollections, of ``list[Receipt]`` and of ``list[Rejection]``::

        committed, rejected = batches | WriteToPostgres(stream, "postgresql://writer@db/logins")

    Args:
        stream: The stream whose table is written.
        dsn: The database, without a password: it becomes part of the job graph.
        retry_seconds: How long a micro-batch is retried, 0 to 39,600.
        lease: Keeps the messages invisible in their queue meanwhile.

    Raises:
        UsageError: `dsn` is none or holds a password, or `retry_seconds` is out of range.
    """

    def __init__(
        self,
        stream: StreamDefinition,
        dsn: str,
        retry_seconds: float = 300,
        lease: VisibilityLease | None = None,
    ) -> None:
        super().__init__()
        self._write = _WriteRows(stream, functools.partial(connect, check_dsn(dsn)), retry_seconds, lease)

    def expand(self, batches: pvalue.PCollection[list[MaskedRow]]) -> pvalue.DoOutputsTuple:
        """Write each micro-batch."""
        return batches | "Commit rows" >> (
            beam.ParDo(self._write)
            .with_output_types(list[Receipt], **{REJECTED_ROWS_TAG: list[Rejection]})
            .with_outputs(REJECTED_ROWS_TAG, main=COMMITTED_TAG)
        )


class _WriteRows(CommitBatch[MaskedRow]):
    def __init__(
        self, stream: StreamDefinition, connect: Connect, retry_seconds: float, lease: VisibilityLease | None
    ) -> None:
        super().__init__(connect, InsertRows(stream), retry_seconds, lease)
        self._stream = stream.name

    def process(self, rows: list[MaskedRow]) -> Iterator[list[Receipt] | pvalue.TaggedOutput]:
        outcome = self.commit(rows)
        _count(outcome)
        if outcome.committed:
            yield committed_receipts(outcome)
        if outcome.rejected:
            yield pvalue.TaggedOutput(REJECTED_ROWS_TAG, self._rejections(outcome))

    def _rejections(self, outcome: WriteOutcome[MaskedRow]) -> list[Rejection]:
        return [
            rejected_by_database(rejection.record, self._stream, rejection.detail) for rejection in outcome.rejected
        ]


def _count(outcome: WriteOutcome[MaskedRow]) -> None:
    WRITTEN.add(len(outcome.inserted))
    now = time.time()
    sent_at = {row.receipt.message_id: row.sent_at for row in outcome.committed}
    END_TO_END_LATENCY_MILLISECONDS.update(
        *(round((now - sent_at[message_id].timestamp()) * 1000) for message_id in outcome.inserted)
    )
