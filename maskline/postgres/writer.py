"""Writing a micro-batch so that every record ends as committed or rejected, whatever the database does meanwhile.

*Guarantee*: when `BatchWriter.write` returns, each record is committed (by this call or an earlier one) or named as
rejected; when it raises, nothing is known to be committed, and the same call may simply be made again. A connection
lost while COMMIT was under way is such a case: the insert is idempotent, so it is repeated.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Generic

import msgspec
import psycopg2
import tenacity

from maskline.errors import UsageError
from maskline.postgres.connection import Connect, Connection
from maskline.postgres.failures import RowRejectedError, map_postgres_error
from maskline.postgres.statements import InsertStatement, Record
from maskline.retry import retrying

logger = logging.getLogger(__name__)


class RowRejection(msgspec.Struct, Generic[Record], frozen=True):
    """One record that Postgres does not take.

    Attributes:
        record: The record.
        detail: What Postgres objected to, without values.
    """

    record: Record
    detail: str


class WriteOutcome(msgspec.Struct, Generic[Record]):
    """What became of a micro-batch.

    Attributes:
        committed: The records that are in the database now, those that were there before included.
        inserted: The message ids that this call inserted; the rest were there before.
        rejected: The records that Postgres does not take.
        commit_seconds: How long the successful statements took.
    """

    committed: list[Record] = []
    inserted: set[str] = set()
    rejected: list[RowRejection[Record]] = []
    commit_seconds: float = 0.0

    @property
    def duplicates(self) -> int:
        """How many of the committed records were in the database before, or twice in the micro-batch."""
        return len(self.committed) - len(self.inserted)


class BatchWriter(Generic[Record]):
    """Writes micro-batches of records over one connection, which it opens when needed and replaces when lost.

    Args:
        connect: Opens a connection.
        statement: The insert.
        retry_seconds: How long a micro-batch is retried while Postgres is not available.
        stopping: When set, retrying ends: the messages are safe in the queue.
        on_retry: Called before each retry.
    """

    def __init__(
        self,
        connect: Connect,
        statement: InsertStatement[Record],
        retry_seconds: float,
        stopping: threading.Event,
        on_retry: Callable[[], None] = lambda: None,
    ) -> None:
        check_retry_seconds(retry_seconds)
        self._connect = connect
        self._statement = statement
        self._connection: Connection | None = None
        self._on_retry = on_retry
        self._retry = retrying(retry_seconds, stopping, self._before_retry)

    def write(self, records: Sequence[Record]) -> WriteOutcome[Record]:
        """Write a micro-batch in one transaction; in several, each of good rows only, where a row is rejected.

        Args:
            records: The micro-batch.

        Raises:
            DatabaseUnavailableError: Postgres was not available for `retry_seconds`.
            DatabaseError: The table, a column, a permission or the login is missing.
        """
        outcome: WriteOutcome[Record] = WriteOutcome()
        if records:
            self._write_or_bisect(records, outcome)
        return outcome

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write_or_bisect(self, records: Sequence[Record], outcome: WriteOutcome[Record]) -> None:
        try:
            self._retry(self._insert, records, outcome)
        except RowRejectedError as rejection:
            if len(records) == 1:
                outcome.rejected.append(RowRejection(records[0], str(rejection)))
                return
            middle = len(records) // 2
            self._write_or_bisect(records[:middle], outcome)
            self._write_or_bisect(records[middle:], outcome)

    def _insert(self, records: Sequence[Record], outcome: WriteOutcome[Record]) -> None:
        parameters = self._statement.parameters(records)
        started = time.monotonic()
        try:
            connection = self._open_connection()
            with connection.cursor() as cursor:
                cursor.execute(self._statement.query, parameters)
                inserted = {message_id for (message_id,) in cursor}
        except psycopg2.Error as error:
            meaning = map_postgres_error(error)
            if not isinstance(meaning, RowRejectedError):
                self.close()
            raise meaning from None
        except (ValueError, UnicodeError):
            raise RowRejectedError("a text that Postgres cannot store (NUL or a lone surrogate)") from None
        outcome.committed.extend(records)
        outcome.inserted |= inserted
        outcome.commit_seconds += time.monotonic() - started

    def _open_connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
            # One statement is one transaction; see maskline.postgres.statements.
            self._connection.autocommit = True
        return self._connection

    def _before_retry(self, attempt: tenacity.RetryCallState) -> None:
        self._on_retry()
        if attempt.outcome is not None:
            logger.warning("writing failed, trying again: %s", attempt.outcome.exception())


def check_retry_seconds(retry_seconds: float) -> None:
    """Check how long to retry.

    Raises:
        UsageError: It is negative, or longer than SQS keeps a message invisible.
    """
    if not 0 <= retry_seconds <= 11 * 60 * 60:
        raise UsageError(f"db_retry_seconds is {retry_seconds}; it must be from 0 to 39600 (SQS's limit is 12 hours)")
