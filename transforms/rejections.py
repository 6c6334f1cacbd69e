"""The sink of rejected messages: kept with their bodies encrypted, so that none is lost and none is in the clear."""

from __future__ import annotations

import functools
from collections import Counter as Counts
from collections.abc import Iterator

import apache_beam as beam
from apache_beam.pvalue import PCollection

from maskline.errors import DatabaseError
from maskline.postgres.connection import Connect, check_dsn, connect
from maskline.postgres.statements import InsertRejections
from maskline.records import Receipt, Rejection
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition
from maskline.transforms.control import CONTROL
from maskline.transforms.metrics import JobCounter, rejected_for
from maskline.transforms.sink import CommitBatch, committed_receipts


class WriteRejections(beam.PTransform):
    """Writes micro-batches of rejections to ``rejected_messages``, and then emits their receipts.

    *Guarantee*: a receipt is emitted only for a rejection that is committed; the same message is kept once.

    Args:
        stream: The stream that rejected the messages; one that became a row before is left alone.
        dsn: The database, without a password: it becomes part of the job graph.
        retry_seconds: How long a micro-batch is retried while Postgres is not available, 0 to 39,600.
        lease: Keeps the messages invisible in their queue meanwhile.
        branch: What the names of its metrics begin with, where a graph has several; see `JobCounter`.

    Raises:
        UsageError: `dsn` is none or holds a password, or `retry_seconds` is out of range.
    """

    def __init__(
        self,
        stream: StreamDefinition,
        dsn: str,
        retry_seconds: float = 300,
        lease: VisibilityLease | None = None,
        branch: str = "",
    ) -> None:
        super().__init__()
        connecting = functools.partial(connect, check_dsn(dsn))
        self._write = _WriteRejections(connecting, InsertRejections(stream), retry_seconds, lease, branch)

    def expand(self, batches: PCollection[list[Rejection]]) -> PCollection[list[Receipt]]:
        """Write each micro-batch."""
        return batches | "Commit rejections" >> beam.ParDo(self._write).with_output_types(list[Receipt])


class _WriteRejections(CommitBatch[Rejection]):
    def __init__(
        self,
        connect: Connect,
        statement: InsertRejections,
        retry_seconds: float,
        lease: VisibilityLease | None,
        branch: str,
    ) -> None:
        super().__init__(connect, statement, retry_seconds, lease, branch)
        self._branch = branch
        self._rejected = JobCounter("rejected", branch)

    def start_bundle(self) -> None:
        """Have its counters exist."""
        super().start_bundle()
        self._rejected.declare()

    def process(self, rejections: list[Rejection]) -> Iterator[list[Receipt]]:
        outcome = self.commit(rejections)
        if outcome.rejected:
            with CONTROL.reporting_failures():
                raise DatabaseError(f"postgres: rejected_messages takes no rejections: {outcome.rejected[0].detail}")
        # By message id, for one message may be twice in a micro-batch.
        reasons = {rejection.receipt.message_id: rejection.reason for rejection in rejections}
        self._rejected.add(len(outcome.inserted))
        for reason, count in Counts(reasons[message_id] for message_id in outcome.inserted).items():
            rejected_for(reason, self._branch).add(count)
        yield committed_receipts(outcome)
