"""The sink of rejected messages, which are kept with their bodies encrypted: none is lost, and none is in the clear."""

from __future__ import annotations

import functools
from collections import Counter as Counts
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.display import DisplayDataItem

from maskline.errors import DatabaseError
from maskline.postgres.connection import Connect, connect
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.statements import REJECTED_MESSAGES, InsertRejections
from maskline.records import Reason, Receipt, Rejection
from maskline.sqs.lease import VisibilityLease
from maskline.transforms.arguments import check_context, check_lease
from maskline.transforms.metrics import JobCounter, StreamCounter, rejected_metric
from maskline.transforms.run_context import RunContext
from maskline.transforms.sink import Commit, CommitBatch, committed_receipts


class WriteRejections(beam.PTransform):
    """Writes micro-batches of rejections to ``rejected_messages``, and then emits the receipts of its messages.

    It returns a PCollection of ``list[Receipt]``::

        masked, rejected = messages | MaskPii("user_logins", keyset="file:keyset.json")
        committed = rejected | MicroBatch(500) | WriteRejections("postgresql://writer@db/logins")

    *Guarantee*: a receipt is emitted only once the rejection is committed, or where the message has an outcome already:
    a message is kept once, however often it is delivered, and not at all if it became a row.

    Args:
        dsn: The database, without a password: it becomes part of the job graph.
        db_retry_seconds: How long a micro-batch is retried while Postgres is not available, in seconds, 0 to 39,600.
        lease: Keeps the messages hidden from other consumers meanwhile, and names the queue that ``rejects requeue``
            sends them back to; if None, neither.
        branch: What the names of its metrics begin with, where a pipeline has several; see `JobCounter`.
        context: The run that the transform belongs to; see `RunContext`. Only a program that starts runs gives one.
        by_stream: Whether the rejections of each stream are counted by themselves as well.

    Raises:
        ArgumentError: `dsn` is no data source name or holds a password, `db_retry_seconds` is out of range, or `lease`
            or `context` is of another type.
    """

    def __init__(
        self,
        dsn: PostgresDsn | str,
        db_retry_seconds: float = 300,
        lease: VisibilityLease | None = None,
        branch: str = "",
        context: RunContext | None = None,
        by_stream: bool = False,
    ) -> None:
        super().__init__()
        self._dsn = PostgresDsn.parse(dsn)
        self._db_retry_seconds = db_retry_seconds
        connecting = functools.partial(connect, self._dsn)
        lease = check_lease(lease)
        self._write = _WriteRejections(
            connecting,
            InsertRejections(lease.queue.queue if lease else None),
            db_retry_seconds,
            lease,
            check_context(context),
            branch,
            by_stream,
        )

    def expand(self, batches: PCollection[list[Rejection]]) -> PCollection[list[Receipt]]:
        """Write each micro-batch."""
        return batches | "Commit rejections" >> beam.ParDo(self._write).with_output_types(list[Receipt])

    def display_data(self) -> dict[str, Any]:
        """Return the table and the time of retries, for a runner's interface."""
        return {
            "table": DisplayDataItem(REJECTED_MESSAGES, label="Table"),
            "db_retry_seconds": DisplayDataItem(self._db_retry_seconds, label="Database retry (s)"),
        }


class _WriteRejections(CommitBatch[Rejection]):
    def __init__(
        self,
        connect: Connect,
        statement: InsertRejections,
        retry_seconds: float,
        lease: VisibilityLease | None,
        context: RunContext,
        branch: str,
        by_stream: bool,
    ) -> None:
        super().__init__(connect, statement, retry_seconds, lease, context, branch)
        self._branch = branch
        self._rejected = JobCounter("rejected", context, branch)
        self._by_stream = by_stream
        self._rejected_by_stream = StreamCounter("rejected", context, branch)
        self._reasons_by_stream = {reason: StreamCounter(rejected_metric(reason), context, branch) for reason in Reason}

    def start_bundle(self) -> None:
        """Declare the counters."""
        super().start_bundle()
        self._rejected.declare()

    def results(self, commit: Commit[Rejection]) -> Iterator[list[Receipt]]:
        outcome = commit.outcome
        if outcome.rejected:
            with self._context.reporting_failures():
                raise DatabaseError(f"postgres: rejected_messages takes no rejections: {outcome.rejected[0].detail}")
        # By message id: a message that was delivered twice may be twice in a micro-batch.
        by_id = {rejection.receipt.message_id: rejection for rejection in commit.records}
        inserted = [by_id[message_id] for message_id in outcome.inserted]
        self._rejected.add(len(inserted))
        for reason, count in Counts(rejection.reason for rejection in inserted).items():
            JobCounter(rejected_metric(reason), self._context, self._branch).add(count)
        if self._by_stream:
            streams_and_reasons = Counts((rejection.stream, rejection.reason) for rejection in inserted)
            for (stream, reason), count in streams_and_reasons.items():
                self._rejected_by_stream.add(stream, count)
                self._reasons_by_stream[reason].add(stream, count)
        self._context.tally.add_causes(f"{rejection.reason}: {rejection.detail}" for rejection in inserted)
        yield committed_receipts(outcome)
