"""The Postgres sink: it takes micro-batches of masked rows, and returns the receipts of those that are committed."""

from __future__ import annotations

import functools
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
from maskline.transforms.arguments import check_context, check_lease, parse_stream
from maskline.transforms.metrics import JobCounter, JobDistribution, StreamCounter
from maskline.transforms.run_context import RunContext
from maskline.transforms.sink import Commit, CommitBatch, committed_receipts

COMMITTED_TAG = "committed"
REJECTED_ROWS_TAG = "rejected"


class WriteToPostgres(beam.PTransform):
    """Writes micro-batches of masked rows, each in one transaction, and then emits the receipts of its messages.

    It returns two PCollections, of ``list[Receipt]`` and of ``list[Rejection]``::

        batches = masked | MicroBatch(500)
        committed, rejected = batches | WriteToPostgres("user_logins", "postgresql://writer@db/logins")

    *Guarantee*: a receipt is emitted only once the row of its message is committed, and a message that is delivered
    again makes no second row. While Postgres is not available, a micro-batch is retried with exponential back-off and
    jitter. After `db_retry_seconds` the bundle fails: no receipt was emitted, so SQS delivers the messages again. Rows
    that Postgres does not take (too long, a constraint) are found by bisection, and the others are committed.

    Args:
        stream: The stream whose table is written: a definition, or the name or path of one, which is read now. With a
            `StreamSet`, each row goes to the table of its own stream, and a micro-batch is still one transaction.
        dsn: The database, without a password: it becomes part of the job graph.
        db_retry_seconds: How long a micro-batch is retried, in seconds, 0 to 39,600.
        lease: Keeps the messages hidden from other consumers while their micro-batch is retried; nothing does if None.
        context: The run that the transform belongs to; see `RunContext`. Only a program that starts runs gives one.
        overlapping: Whether a micro-batch may be committed while the pipeline makes the next one of its bundle. Its
            receipts are then emitted before the next one is committed, or at the end of the bundle.

    Raises:
        ArgumentError: `stream` is no definition, `dsn` is no data source name or holds a password, `db_retry_seconds`
            is out of range, or `lease` or `context` is of another type.
    """

    def __init__(
        self,
        stream: StreamDefinition | StreamSet | str,
        dsn: PostgresDsn | str,
        db_retry_seconds: float = 300,
        lease: VisibilityLease | None = None,
        context: RunContext | None = None,
        overlapping: bool = False,
    ) -> None:
        super().__init__()
        self._streams = parse_stream(stream).streams
        self._dsn = PostgresDsn.parse(dsn)
        self._db_retry_seconds = db_retry_seconds
        connecting = functools.partial(connect, self._dsn)
        self._write = _WriteRows(
            self._streams, connecting, db_retry_seconds, check_lease(lease), check_context(context), overlapping
        )

    def expand(self, batches: pvalue.PCollection[list[MaskedRow]]) -> pvalue.DoOutputsTuple:
        """Write each micro-batch."""
        return batches | "Commit rows" >> (
            beam.ParDo(self._write)
            .with_output_types(list[Receipt], **{REJECTED_ROWS_TAG: list[Rejection]})
            .with_outputs(REJECTED_ROWS_TAG, main=COMMITTED_TAG)
        )

    def display_data(self) -> dict[str, Any]:
        """Return the stream, its table and the time of retries, for a runner's interface."""
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
        overlapping: bool,
    ) -> None:
        (first, *others) = streams
        insert: InsertStatement[MaskedRow] = InsertRowsOfStreams(streams) if others else InsertRows(first)
        super().__init__(connect, insert, retry_seconds, lease, context, overlapping=overlapping)
        self._stream = first.name
        self._written = JobCounter("written", context)
        self._written_by_stream = StreamCounter("written", context) if others else None
        self._unvouched = JobCounter("unvouched", context)
        self._latency_milliseconds = JobDistribution("end_to_end_latency_milliseconds", context)

    def results(self, commit: Commit[MaskedRow]) -> Iterator[list[Receipt] | pvalue.TaggedOutput]:
        outcome = commit.outcome
        self._count(outcome, commit.ended_at)
        if outcome.committed:
            yield committed_receipts(outcome)
        if outcome.rejected:
            yield pvalue.TaggedOutput(REJECTED_ROWS_TAG, self._rejections(outcome))

    def _rejections(self, outcome: WriteOutcome[MaskedRow]) -> list[Rejection]:
        return [
            rejected_by_database(rejection.record, rejection.record.stream or self._stream, rejection.detail)
            for rejection in outcome.rejected
        ]

    def _count(self, outcome: WriteOutcome[MaskedRow], committed_at: float) -> None:
        self._written.add(len(outcome.inserted))
        self._unvouched.add(outcome.unvouched)
        if self._written_by_stream is not None:
            streams = {row.receipt.message_id: row.stream for row in outcome.committed}
            for stream, count in Counts(streams[message_id] for message_id in outcome.inserted).items():
                self._written_by_stream.add(stream, count)
        sent_at = {row.receipt.message_id: row.sent_at for row in outcome.committed}
        self._latency_milliseconds.update(
            *(round((committed_at - sent_at[message_id].timestamp()) * 1000) for message_id in outcome.inserted)
        )
