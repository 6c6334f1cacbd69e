"""What both sinks share: a DoFn that commits a micro-batch before it emits anything."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic

import apache_beam as beam

from maskline.postgres.connection import Connect, Connection
from maskline.postgres.statements import InsertStatement, Record
from maskline.postgres.writer import MAX_OVERTIME_SECONDS, BatchWriter, WriteOutcome, check_retry_seconds
from maskline.records import Receipt
from maskline.sqs.lease import VisibilityLease
from maskline.transforms.metrics import JobCounter, JobDistribution
from maskline.transforms.run_context import RunContext


class CommitBatch(beam.DoFn, Generic[Record]):
    """Commits micro-batches. Each instance has a connection of its own.

    Args:
        connect: Opens a connection.
        statement: The insert.
        retry_seconds: How long a micro-batch is retried while Postgres is not available.
        lease: Keeps the messages hidden from other consumers meanwhile, or None.
        context: The run.
        branch: What the names of its metrics begin with; see `JobCounter`.

    Raises:
        ArgumentError: `retry_seconds` is out of range.
    """

    def __init__(
        self,
        connect: Connect,
        statement: InsertStatement[Record],
        retry_seconds: float,
        lease: VisibilityLease | None,
        context: RunContext,
        branch: str = "",
    ) -> None:
        check_retry_seconds(retry_seconds)
        self._db_retries = JobCounter("db_retries", context, branch)
        self._duplicates = JobCounter("duplicates", context, branch)
        self._suppressed = JobCounter("suppressed", context, branch)
        self._batch_size = JobDistribution("batch_size", context, branch)
        self._commit_milliseconds = JobDistribution("commit_milliseconds", context, branch)
        self._connect = connect
        self._statement = statement
        self._retry_seconds = retry_seconds
        self._lease = lease
        self._context = context
        self._writer: BatchWriter[Record] | None = None

    def setup(self) -> None:
        """Make the writer, which connects when it first writes."""
        self._writer = BatchWriter(
            self._connect_and_track,
            self._statement,
            self._retry_seconds,
            self._context.stopping,
            on_retry=self._db_retries.add,
        )

    def start_bundle(self) -> None:
        """Declare the counters."""
        self._db_retries.declare()
        self._duplicates.declare()
        self._suppressed.declare()

    def teardown(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()

    def commit(self, records: Sequence[Record]) -> WriteOutcome[Record]:
        """Write a micro-batch, count it, and return what became of its records.

        Args:
            records: The micro-batch.

        Raises:
            MasklineError: Nothing was committed. The failure is kept for the starter of the run.
        """
        assert self._writer is not None, "Beam calls setup() first"
        receipts = [record.receipt for record in records]
        with (
            self._context.reporting_failures(),
            self._released_on_stop(receipts),
            self._held(receipts) as on_progress,
        ):
            outcome = self._writer.write(records, on_progress)
        if outcome.committed:
            self._context.movement.mark_progress()
        self._batch_size.update(len(records))
        self._commit_milliseconds.update(round(outcome.commit_seconds * 1000))
        self._duplicates.add(outcome.duplicates)
        self._suppressed.add(outcome.suppressed)
        return outcome

    def _connect_and_track(self) -> Connection:
        connection = self._connect()
        self._context.track_connection(connection)
        return connection

    def _held(self, receipts: Sequence[Receipt]) -> contextlib.AbstractContextManager[Callable[[], None]]:
        if self._lease is None:
            return contextlib.nullcontext(lambda: None)
        return self._lease.held(receipts, self._context.in_flight, self._retry_seconds + MAX_OVERTIME_SECONDS)

    @contextlib.contextmanager
    def _released_on_stop(self, receipts: Sequence[Receipt]) -> Iterator[None]:
        """Make the messages visible again at once if the run is stopped before they could be written."""
        try:
            yield
        except Exception:
            if self._lease and self._context.stopping.is_set():
                self._lease.release(receipts, self._context.in_flight)
            raise


def committed_receipts(outcome: WriteOutcome[Any]) -> list[Receipt]:
    """Return the receipts of an outcome's committed records, by which their messages are deleted."""
    return [record.receipt for record in outcome.committed]
