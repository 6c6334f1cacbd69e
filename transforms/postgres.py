"""The Postgres sink: micro-batches of masked rows in, receipts of what is committed out."""

from __future__ import annotations

import functools
import time
from collections import Counter as Counts
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam import pvalue
from apache_beam.transforms.display import DisplayDataItem

from maskline.postgres.connection import Connect, connect
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.statements import InsertRows, InsertRowsOfStreams, InsertStatement
from maskline.postgres.writer import WriteOutcome
from maskline.records import MaskedRow, Receipt, Rejection
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition
from maskline.streams.masking import rejected_by_database
from maskline.streams.stream_set import StreamSet
from maskline.transforms.arguments import check_lease, parse_stream
from maskline.transforms.metrics import JobCounter, JobDistribution, StreamCounter
from maskline.transforms.run_context import RunContext, run_context
from maskline.transforms.sink import CommitBatch, committed_receipts

COMMITTED_TAG = "committed"
REJECTED_ROWS_TAG = "rejected"


class WriteToPostgres(beam.PTransform):
    """Writes micro-batches of masked rows, each in one transaction, and then emits their receipts.

    *Guarantee*: a receipt is emitted only for a row that is committed. A message delivered again makes no second row.
    While Postgres is not available a micro-batch is retried with exponential back-off and jitter; after
    `db_retry_seconds` the bundle fails, no receipt was emitted, and SQS delivers the messages again. Rows that Postgres
    does not take (too long, a constraint) are found by bisection, and the good ones beside them are committed.

    Returns two PCollections, of ``list[Receipt]`` and of ``list[Rejection]``::

        committed, rejected = batches | WriteToPostgres(stream, "postgresql://writer@db/logins")

    Args:
        stream: The stream whose table is written: a definition, or the name or path of one, which is read now. Of a
            `StreamSet`, each row goes to the table of its own stream, and those of a micro-batch in one transaction.
        dsn: The database, without a password: it becomes part of the job graph.
        db_retry_seconds: How long a micro-batch is retried, 0 to 39,600.
        lease: Keeps the messages invisible in their queue meanwhile.
        context: The run, which a starter shares with its transforms; see `RunContext`.

    Raises:
        ArgumentError: `stream` is no definition, `dsn` is none or holds a password, `db_retry_seconds` is out of range,
            or `lease` is none.
    """

    def __init__(
        self,
        stream: StreamDefinition | StreamSet | str,
        dsn: PostgresDsn | str,
        db_retry_seconds: float = 300,
        lease: VisibilityLease | None = None,
        context: RunContext | None = None,
    ) -> None:
        super().__init__()
        self._streams = stream.streams if isinstance(stream, StreamSet) else (parse_stream(stream),)
        self._dsn = PostgresDsn.parse(dsn)
        self._db_retry_seconds = db_retry_seconds
        connecting = functools.partial(connect, self._dsn)
        self._write = _WriteRows(
            self._streams, connecting, db_retry_seconds, check_lease(lease), context or run_context()
        )

    def expand(self, batches: pvalue.PCollection[list[MaskedRow]]) -> pvalue.DoOutputsTuple:
        """Write each micro-batch."""
        return batches | "Commit rows" >> (
            beam.ParDo(self._write)
            .with_output_types(list[Receipt], **{REJECTED_ROWS_TAG: list[Rejection]})
            .with_outputs(REJECTED_ROWS_TAG, main=COMMITTED_TAG)
        )

    def display_data(self) -> dict[str, Any]:
        """Show the stream, its table and how long a micro-batch is retried."""
        return {
            "stream": DisplayDataItem(", ".join(stream.name for stream in self._streams), label="Stream"),
            "table": DisplayDataItem(", ".join(stream.table for stream in self._streams), label="Table"),
            "db_retry_seconds": DisplayDataItem(self._db_retry_seconds, label="Database retry (s)"),
        }


class _WriteRows(CommitBatch[MaskedRow]):
    def __init__(
        self,
        streams: tuple[StreamDefinition, ...],
        connect: Connect,
        retry_seconds: float,
        lease: VisibilityLease | None,
        context: RunContext,
    ) -> None:
        (first, *others) = streams
        insert: InsertStatement[MaskedRow] = InsertRowsOfStreams(streams) if others else InsertRows(first)
        super().__init__(connect, insert, retry_seconds, lease, context)
        self._stream = first.name
        self._written = JobCounter("written", context)
        self._written_by_stream = StreamCounter("written", context) if others else None
        self._unvouched = JobCounter("unvouched", context)
        self._latency_milliseconds = JobDistribution("end_to_end_latency_milliseconds", context)

    def process(self, rows: list[MaskedRow]) -> Iterator[list[Receipt] | pvalue.TaggedOutput]:
        outcome = self.commit(rows)
        self._count(outcome)
        if outcome.committed:
            yield committed_receipts(outcome)
        if outcome.rejected:
            yield pvalue.TaggedOutput(REJECTED_ROWS_TAG, self._rejections(outcome))

    def _rejections(self, outcome: WriteOutcome[MaskedRow]) -> list[Rejection]:
        return [
            rejected_by_database(rejection.record, rejection.record.stream or self._stream, rejection.detail)
            for rejection in outcome.rejected
        ]

    def _count(self, outcome: WriteOutcome[MaskedRow]) -> None:
        self._written.add(len(outcome.inserted))
        self._unvouched.add(outcome.unvouched)
        if self._written_by_stream is not None:
            streams = {row.receipt.message_id: row.stream for row in outcome.committed}
            for stream, count in Counts(streams[message_id] for message_id in outcome.inserted).items():
                self._written_by_stream.add(stream, count)
        now = time.time()
        sent_at = {row.receipt.message_id: row.sent_at for row in outcome.committed}
        self._latency_milliseconds.update(
            *(round((now - sent_at[message_id].timestamp()) * 1000) for message_id in outcome.inserted)
        )
