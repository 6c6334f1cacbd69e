"""What both sinks share: a DoFn that emits nothing of a micro-batch before it is committed."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, wait
from typing import Any, Generic, NamedTuple

import apache_beam as beam
import msgspec
from apache_beam import pvalue
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from maskline.futures import in_background
from maskline.postgres.connection import Connect, Connection
from maskline.postgres.statements import InsertStatement, Record
from maskline.postgres.writer import MAX_OVERTIME_SECONDS, BatchWriter, WriteOutcome, check_retry_seconds
from maskline.records import Receipt
from maskline.sqs.lease import VisibilityLease
from maskline.transforms.metrics import JobCounter, JobDistribution
from maskline.transforms.run_context import RunContext

UNLEASED_SECONDS = 1.0
"""How long a micro-batch waits for the commit before it until it is kept hidden itself, which takes a thread."""


class Commit(msgspec.Struct, Generic[Record], frozen=True):
    """A micro-batch and what became of it.

    Attributes:
        records: The micro-batch.
        outcome: What became of its records.
        ended_at: When they were committed, in seconds since the epoch.
    """

    records: Sequence[Record]
    outcome: WriteOutcome[Record]
    ended_at: float


class _UnderWay(NamedTuple):
    commit: Future[Commit[Any]]
    timestamp: Timestamp
    window: Any


class CommitBatch(beam.DoFn, Generic[Record]):
    """Commits micro-batches, one after another. Each instance has a connection of its own.

    Args:
        connect: Opens a connection.
        statement: The insert.
        retry_seconds: How long a micro-batch is retried while Postgres is not available.
        lease: Keeps the messages hidden from other consumers meanwhile, or None.
        context: The run.
        branch: What the names of its metrics begin with; see `JobCounter`.
        overlapping: Whether a micro-batch may be committed while the pipeline makes the next one of its bundle. What
            follows from it is emitted before the next one is committed, or at the end of the bundle.

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
        overlapping: bool = False,
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
        self._overlapping = overlapping
        self._writer: BatchWriter[Record] | None = None
        self._under_way: _UnderWay | None = None
        self._unreported_retries = 0

    def setup(self) -> None:
        """Make the writer, which connects when it first writes."""
        self._writer = BatchWriter(
            self._connect_and_track,
            self._statement,
            self._retry_seconds,
            self._context.stopping,
            on_retry=self._tally_retry,
        )

    def start_bundle(self) -> None:
        """Declare the counters."""
        self._forget_failed_bundle()
        self._db_retries.declare()
        self._duplicates.declare()
        self._suppressed.declare()

    def process(
        self,
        records: list[Record],
        timestamp: Any = beam.DoFn.TimestampParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Iterator[Any]:
        """Commit a micro-batch, or begin to.

        Args:
            records: The micro-batch.
            timestamp: Its timestamp.
            window: Its window.

        Raises:
            MasklineError: This one or the one before was not committed. The failure is kept for the starter of the run.
        """
        if not self._overlapping:
            yield from self._counted_results(self._commit(records))
            return
        before = self._under_way
        results = self._windowed_results(before, self._awaited(before.commit, records)) if before else ()
        commit = in_background(functools.partial(self._commit, records), "postgres-commit")
        self._under_way = _UnderWay(commit, timestamp, window)
        yield from results

    def finish_bundle(self) -> Iterator[Any]:
        """Wait for the last commit.

        Raises:
            MasklineError: The micro-batch was not committed.
        """
        if self._under_way is None:
            return
        last, self._under_way = self._under_way, None
        yield from self._windowed_results(last, last.commit.result())

    def teardown(self) -> None:
        """Close the connection."""
        self._forget_failed_bundle()
        if self._writer is not None:
            self._writer.close()

    def results(self, commit: Commit[Record]) -> Iterator[Any]:
        """Count a micro-batch that was committed, and yield what to emit.

        Args:
            commit: The micro-batch.
        """
        raise NotImplementedError

    def _commit(self, records: Sequence[Record]) -> Commit[Record]:
        assert self._writer is not None, "Beam calls setup() first"
        with (
            self._context.reporting_failures(),
            self._released_on_stop(records),
            self._held(records) as on_progress,
        ):
            outcome = self._writer.write(records, on_progress)
        if outcome.committed:
            self._context.movement.mark_progress()
        return Commit(records, outcome, time.time())

    def _awaited(self, before: Future[Commit[Record]], waiting: Sequence[Record]) -> Commit[Record]:
        """Wait for a commit, which ends by the deadlines of its statements, and keep what waits behind it hidden."""
        with self._released_on_stop(waiting):
            if not wait([before], UNLEASED_SECONDS).done:
                with self._held(waiting):
                    return before.result()
            return before.result()

    def _windowed_results(self, under_way: _UnderWay, commit: Commit[Record]) -> Iterator[Any]:
        """Yield what to emit with the time and the window of the micro-batch, for Beam would give it those of now."""
        for result in self._counted_results(commit):
            if isinstance(result, pvalue.TaggedOutput):
                yield pvalue.TaggedOutput(result.tag, _windowed(result.value, under_way))
            else:
                yield _windowed(result, under_way)

    def _counted_results(self, commit: Commit[Record]) -> Iterator[Any]:
        """Count in the thread of the bundle, whose metrics Beam reports."""
        self._db_retries.report(self._unreported_retries)
        self._unreported_retries = 0
        self._batch_size.update(len(commit.records))
        self._commit_milliseconds.update(round(commit.outcome.commit_seconds * 1000))
        self._duplicates.add(commit.outcome.duplicates)
        self._suppressed.add(commit.outcome.suppressed)
        return self.results(commit)

    def _forget_failed_bundle(self) -> None:
        """Let the commit of a bundle that failed end; its messages come back, and are found in the ledger."""
        if self._under_way is not None:
            self._under_way.commit.exception()
            self._under_way = None

    def _tally_retry(self) -> None:
        self._unreported_retries += 1
        self._db_retries.tally(1)

    def _connect_and_track(self) -> Connection:
        connection = self._connect()
        self._context.track_connection(connection)
        return connection

    def _held(self, records: Sequence[Record]) -> contextlib.AbstractContextManager[Callable[[], None]]:
        if self._lease is None:
            return contextlib.nullcontext(lambda: None)
        return self._lease.held(_receipts(records), self._context.in_flight, self._retry_seconds + MAX_OVERTIME_SECONDS)

    @contextlib.contextmanager
    def _released_on_stop(self, records: Sequence[Record]) -> Iterator[None]:
        """Make the messages visible again at once if the run is stopped before they could be written."""
        try:
            yield
        except Exception:
            if self._lease and self._context.stopping.is_set():
                self._lease.release(_receipts(records), self._context.in_flight)
            raise


def committed_receipts(outcome: WriteOutcome[Any]) -> list[Receipt]:
    """Return the receipts of an outcome's committed records, by which their messages are deleted."""
    return _receipts(outcome.committed)


def _receipts(records: Sequence[Any]) -> list[Receipt]:
    return [record.receipt for record in records]


def _windowed(value: Any, under_way: _UnderWay) -> WindowedValue:
    return WindowedValue(value, under_way.timestamp, (under_way.window,))
