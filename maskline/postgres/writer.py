"""Writing a micro-batch so that every record ends as committed or rejected, whatever the database does meanwhile.

*Guarantee*: when `BatchWriter.write` returns, each record is committed (by this call or an earlier one) and as durable
as the server can make it, or named as rejected; when it raises, nothing is known to be committed, and the same call may
simply be made again. A connection lost while COMMIT was under way is such a case: the ledger knows what was entered.
"""

from __future__ import annotations

import collections
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic

import msgspec
import psycopg
import tenacity
from psycopg import sql

from maskline.errors import ArgumentError, DatabaseError, DatabaseLoginError, DatabaseUnavailableError, TableError
from maskline.postgres.column_registry import compare_columns, enter_columns
from maskline.postgres.connection import Connect, Connection
from maskline.postgres.deadlines import DEADLINES, Deadlines
from maskline.postgres.failures import UNSTORABLE_TEXT, RowRejectedError, map_postgres_error
from maskline.postgres.key_registry import KeyUse
from maskline.postgres.ledger import VOUCHED_AGE, empty_old_days
from maskline.postgres.statements import (
    COMMIT,
    CONFIRMATION,
    STATEMENT_TIMEOUT_SECONDS,
    InsertStatement,
    Parameter,
    Record,
    transaction_settings,
)
from maskline.postgres.suppressions import (
    ENTER_SUPPRESSED,
    UNJUDGED,
    Suppressions,
    expire_suppressions,
    has_suppressions,
    read_suppressions,
    suppressed_parameters,
    unread_check,
)
from maskline.retry import MAX_WAIT_SECONDS, retrying

ANSWER_SECONDS = STATEMENT_TIMEOUT_SECONDS + 10
"""How long an insert may take as the client sees it: the server's own time-out comes first where it is still there."""

MIN_ANSWER_SECONDS = 10.0

MAX_OVERTIME_SECONDS = MAX_WAIT_SECONDS + 2 * MIN_ANSWER_SECONDS
"""How long a micro-batch may take beyond its retries: a last back-off, connection and insert."""

EMPTYING_SECONDS = 3600.0
"""How often a writer empties the ledger's old days."""

logger = logging.getLogger(__name__)


class RowRejection(msgspec.Struct, Generic[Record], frozen=True):
    """A record that Postgres does not take, and why.

    Attributes:
        record: The record.
        detail: What Postgres objected to, without values.
        names_field: Whether that names a column or a constraint.
    """

    record: Record
    detail: str
    names_field: bool = False


class WriteOutcome(msgspec.Struct, Generic[Record]):
    """What became of a micro-batch.

    Attributes:
        committed: The records that are in the database now, those that were there before included.
        inserted: The message ids that this call inserted; the rest were there before.
        rejected: The records that Postgres does not take.
        suppressed: How many this call entered into the ledger and into no table, for their person was erased after they
            were sent. They are among the committed.
        unvouched: How many were inserted that were sent too long ago, or too far ahead of the server's clock, for the
            ledger to tell a first delivery from a later one.
        commit_seconds: How long the successful statements took.
    """

    committed: list[Record] = []
    inserted: set[str] = set()
    rejected: list[RowRejection[Record]] = []
    suppressed: int = 0
    unvouched: int = 0
    commit_seconds: float = 0.0

    @property
    def duplicates(self) -> int:
        """How many of the committed records were in the database before, or twice in the micro-batch."""
        return len(self.committed) - len(self.inserted) - self.suppressed


class _Entered(msgspec.Struct):
    inserted: set[str] = set()
    suppressed: int = 0
    unvouched: int = 0


class BatchWriter(Generic[Record]):
    """Writes micro-batches of records over one connection, which it opens when needed and replaces when lost.

    Args:
        connect: Opens a connection.
        statement: The insert.
        retry_seconds: How long a micro-batch is retried while Postgres is not available. A wait for an answer takes
            half of what is left of it at most, but `MIN_ANSWER_SECONDS` if need be.
        stopping: When set, retrying ends: the messages are safe in the queue.
        on_retry: Called before each retry.
        deadlines: Ends waits that last too long.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        connect: Connect,
        statement: InsertStatement[Record],
        retry_seconds: float,
        stopping: threading.Event,
        on_retry: Callable[[], None] = lambda: None,
        deadlines: Deadlines = DEADLINES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        check_retry_seconds(retry_seconds)
        self._connect = connect
        self._statement = statement
        self._retry_seconds = retry_seconds
        self._stopping = stopping
        self._connection: Connection | None = None
        self._on_retry = on_retry
        self._deadlines = deadlines
        self._clock = clock
        self._days_emptied_at: float | None = None
        self._key_use = KeyUse(statement.table, clock)
        self._are_columns_entered = False
        self._suppressions: Suppressions | None = None
        self._retry = retrying(retry_seconds, stopping, self._before_retry)

    def write(self, records: Sequence[Record], on_progress: Callable[[], None] = lambda: None) -> WriteOutcome[Record]:
        """Write a micro-batch in one transaction, or in several if some of its records are rejected.

        Args:
            records: The micro-batch, in any order; a message may be there twice.
            on_progress: Called whenever the database has said what becomes of some of them.

        Raises:
            DatabaseUnavailableError: Postgres was not available, or did not take the password, for `retry_seconds`.
            DatabaseError: The table, a column, a permission or the database is missing.
            TableError: The table takes no rows for a cause of its own: nothing is to be rejected for it. Some of the
                records may be committed.
        """
        outcome: WriteOutcome[Record] = WriteOutcome()
        if records:
            each_once = {record.receipt.message_id: record for record in records}
            self._write_or_bisect([each_once[message_id] for message_id in sorted(each_once)], outcome, on_progress)
            self._raise_for_a_common_cause(outcome, each_once.values())
            rejected = {rejection.record.receipt.message_id for rejection in outcome.rejected}
            outcome.committed = [record for record in records if record.receipt.message_id not in rejected]
            self._empty_old_days()
        return outcome

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
            self._suppressions = None
            self._are_columns_entered = False

    def _write_or_bisect(
        self, records: Sequence[Record], outcome: WriteOutcome[Record], on_progress: Callable[[], None]
    ) -> None:
        try:
            self._retry(self._insert, records, outcome, self._clock() + self._retry_seconds)
            on_progress()
        except RowRejectedError as rejection:
            on_progress()
            if len(records) == 1:
                outcome.rejected.append(RowRejection(records[0], str(rejection), rejection.names_field))
                return
            middle = len(records) // 2
            self._write_or_bisect(records[:middle], outcome, on_progress)
            self._write_or_bisect(records[middle:], outcome, on_progress)

    def _raise_for_a_common_cause(self, outcome: WriteOutcome[Record], records: Iterable[Record]) -> None:
        if not outcome.rejected:
            return
        rows = collections.Counter(map(self._statement.table_of, records))
        rejections: dict[str, list[RowRejection[Record]]] = collections.defaultdict(list)
        for rejection in outcome.rejected:
            rejections[self._statement.table_of(rejection.record)].append(rejection)
        for table, rejected in rejections.items():
            unnamed = [rejection.detail for rejection in rejected if not rejection.names_field]
            if len(rejected) == rows[table] and len(unnamed) > 1 and len(set(unnamed)) == 1:
                raise TableError(
                    f"postgres: table {table} takes none of {rows[table]} rows, all for one cause: "
                    f"{unnamed[0]}; none was rejected"
                )

    def _insert(self, records: Sequence[Record], outcome: WriteOutcome[Record], retried_until: float) -> None:
        started = self._clock()
        # Half of what is left, so that another connection gets its chance where this one hangs.
        seconds = min(ANSWER_SECONDS, max(MIN_ANSWER_SECONDS, (retried_until - started) / 2))
        try:
            connection = self._open_connection(seconds)
            with self._deadlines.within(connection, seconds, "an insert", self._stopping):
                entered = self._enter(connection, records)
        except psycopg.Error as error:
            meaning = map_postgres_error(error, self._statement.for_records(records).columns)
            if not isinstance(meaning, RowRejectedError):
                self.close()
            raise meaning from None
        except DatabaseUnavailableError:
            self.close()
            raise
        except UnicodeError:
            raise RowRejectedError(UNSTORABLE_TEXT) from None
        outcome.inserted |= entered.inserted
        outcome.suppressed += entered.suppressed
        outcome.unvouched += entered.unvouched
        outcome.commit_seconds += self._clock() - started
        if entered.unvouched and self._statement.warns_of_age:
            logger.warning(
                "%d of %d messages were sent more than %d days ago, or ahead of the server's clock: one that is "
                "delivered again after its day of the ledger was emptied becomes a second row",
                entered.unvouched,
                len(records),
                VOUCHED_AGE.days,
            )

    def _enter(self, connection: Connection, records: Sequence[Record]) -> _Entered:
        """Write records, those of persons who were erased into the ledger alone; read suppressions that are new."""
        while True:
            try:
                return self._split_and_enter(connection, records)
            except psycopg.Error as error:
                if error.sqlstate != UNJUDGED:
                    raise
            self._suppressions = read_suppressions(connection)

    def _split_and_enter(self, connection: Connection, records: Sequence[Record]) -> _Entered:
        if self._suppressions is None and has_suppressions(connection):
            self._suppressions = Suppressions()
        suppressed, others = self._suppressions.split(records) if self._suppressions else ([], records)
        entered = _Entered()
        if suppressed:
            (entered.suppressed, entered.unvouched, _) = _confirmed_row(
                connection, transaction_settings(), ENTER_SUPPRESSED, suppressed_parameters(suppressed)
            )
        if others:
            statement = self._statement.for_records(others)
            is_guarded = self._key_use.enter(connection, {record.key_id for record in others})
            if is_guarded and not self._are_columns_entered:
                _compare_and_enter_columns(connection, self._statement)
                self._are_columns_entered = True
            query = statement.query if is_guarded else statement.query_without_keys
            before = statement.before(others)
            if self._suppressions is not None:
                oldest = min(record.sent_at for record in others)
                before = unread_check(self._suppressions.last_id, oldest) + before
            (_, inserted, unvouched, _) = _confirmed_row(connection, before, query, statement.parameters(others))
            entered.inserted = {record.receipt.message_id for record in others} if inserted is None else set(inserted)
            entered.unvouched += unvouched
        return entered

    def _open_connection(self, seconds: float) -> Connection:
        if self._connection is None:
            try:
                self._connection = self._deadlines.connect(self._connect, self._stopping, seconds)
            except DatabaseLoginError as error:
                # Whoever rotates a password changes it in two places, one after the other.
                raise DatabaseUnavailableError(str(error)) from None
            # Transactions are begun and ended by statements; see _committed_row.
            self._connection.autocommit = True
        return self._connection

    def _empty_old_days(self) -> None:
        """Empty the ledger's old days, at the first write and then every hour; what fails waits for the next time."""
        now = self._clock()
        if self._connection is None or (
            self._days_emptied_at is not None and now - self._days_emptied_at < EMPTYING_SECONDS
        ):
            return
        self._days_emptied_at = now
        try:
            with self._deadlines.within(self._connection, ANSWER_SECONDS, "emptying the ledger", self._stopping):
                emptied = empty_old_days(self._connection)
                if self._suppressions is not None:
                    expire_suppressions(self._connection)
        except (psycopg.Error, DatabaseUnavailableError) as error:
            self.close()
            logger.warning("the ledger's old days were not emptied: %s", type(error).__name__)
            return
        if emptied:
            logger.info("emptied %d old days of the ledger", emptied)

    def _before_retry(self, attempt: tenacity.RetryCallState) -> None:
        self._on_retry()
        if attempt.outcome is not None:
            logger.warning("writing failed, trying again: %s", attempt.outcome.exception())


def _confirmed_row(
    connection: Connection, before: sql.Composed, query: str, parameters: Sequence[Parameter]
) -> tuple[Any, ...]:
    row = _committed_row(connection, before, query, parameters)
    if connection.has_warning:
        _confirm(connection)
    return row


def _committed_row(
    connection: Connection, before: sql.Composed, query: str, parameters: Sequence[Parameter]
) -> tuple[Any, ...]:
    """Run a statement in a transaction, after what comes before it, and return its only row."""
    connection.notices.clear()
    try:
        connection.execute(sql.SQL("BEGIN; ") + before)
        with psycopg.RawCursor(connection) as cursor:
            cursor.execute(query, parameters)
            (row,) = cursor.fetchall()
        status = connection.execute(COMMIT).statusmessage
        if status != "COMMIT":
            raise DatabaseUnavailableError(f"postgres: the server answered COMMIT by {status}")
    except BaseException:
        _roll_back(connection)
        raise
    return row


def _roll_back(connection: Connection) -> None:
    """End a transaction that failed, so that the next may begin; where that fails, too, the connection is of no use."""
    if connection.closed:
        return
    try:
        connection.execute("ROLLBACK")
    except psycopg.Error:
        connection.close()


def _compare_and_enter_columns(connection: Connection, statement: InsertStatement[Any]) -> None:
    for stream in statement.streams:
        comparison = compare_columns(connection, stream)
        if comparison.problems:
            raise DatabaseError(f"postgres: {'; '.join(comparison.problems)}")
        enter_columns(connection, stream)


def _confirm(connection: Connection) -> None:
    """Have the server acknowledge the log up to here without a complaint.

    A server that gives up waiting for its synchronous standby says so by a warning, commits, and calls that success.
    """
    connection.notices.clear()
    connection.execute(transaction_settings() + sql.SQL(CONFIRMATION))
    if connection.has_warning:
        raise DatabaseUnavailableError("postgres: the commit is not confirmed: its synchronous standby did not answer")


def check_retry_seconds(retry_seconds: float) -> None:
    """Check the time for which a micro-batch is retried.

    Raises:
        ArgumentError: It is negative, or longer than SQS keeps a message invisible.
    """
    if not 0 <= retry_seconds <= 11 * 60 * 60:
        raise ArgumentError(
            f"db_retry_seconds is {retry_seconds}; it must be from 0 to 39600 (SQS's limit is 12 hours)"
        )
