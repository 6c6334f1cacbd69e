"""Rejected messages in the database: listing them, reading one, sending them back once, and deleting old ones."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from psycopg import sql

from maskline.postgres.connection import Connection, map_postgres_errors, transaction

ROWS_PER_DELETE = 5_000
_COLUMNS = "message_id::text, stream, reason, detail, sent_at, rejected_at, receive_count, requeued_at"


class RejectedMessage(msgspec.Struct, frozen=True):
    """One rejected message, without its body.

    Attributes:
        message_id: The MessageId.
        stream: The stream that rejected it.
        reason: Why, as a word.
        detail: Why, as a sentence.
        sent_at: SentTimestamp.
        rejected_at: When it was rejected.
        receive_count: How often it had been delivered by then.
        requeued_at: When it was sent back, or None.
    """

    message_id: str
    stream: str
    reason: str
    detail: str
    sent_at: datetime
    rejected_at: datetime
    receive_count: int
    requeued_at: datetime | None


class WaitingRejection(msgspec.Struct, frozen=True):
    """One rejected message that was not sent back.

    Attributes:
        message_id: The MessageId.
        stream: The stream that rejected it.
        queue: The queue that it came from, as the job was given it; None where a job of an earlier version kept it.
    """

    message_id: str
    stream: str
    queue: str | None


class OldRejections(msgspec.Struct, frozen=True):
    """How many rejections are older than a point in time.

    Attributes:
        before: The moment, by the server's clock.
        count: How many there are.
        waiting: How many of them were not sent back.
    """

    before: datetime
    count: int
    waiting: int


class RejectedMessages:
    """The rejected messages of a database.

    Every method raises a `DatabaseError` where the role may not read or change them.

    Args:
        connection: A connection with the permissions of the table's owner.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def count_by_reason(self, stream: str | None = None) -> dict[str, int]:
        """Count those that were not sent back, by reason."""
        with map_postgres_errors(), transaction(self._connection) as cursor:
            cursor.execute(
                "SELECT reason, count(*) FROM rejected_messages"
                " WHERE requeued_at IS NULL AND stream = coalesce(%s, stream) GROUP BY reason ORDER BY reason",
                [stream],
            )
            return dict(cursor.fetchall())

    def newest(
        self, limit: int, *, stream: str | None = None, reason: str | None = None, requeued: bool = False
    ) -> list[RejectedMessage]:
        """Return the newest.

        Args:
            limit: The most to return.
            stream: Only those of one stream.
            reason: Only those of one reason.
            requeued: Whether to return those that were sent back, too.
        """
        query = sql.SQL(
            "SELECT {columns} FROM rejected_messages WHERE stream = coalesce(%s, stream)"
            " AND reason = coalesce(%s, reason) AND (%s OR requeued_at IS NULL)"
            " ORDER BY rejected_at DESC, message_id LIMIT %s"
        ).format(columns=sql.SQL(_COLUMNS))
        with map_postgres_errors(), transaction(self._connection) as cursor:
            cursor.execute(query, [stream, reason, requeued, limit])
            return [RejectedMessage(*row) for row in cursor]

    def waiting(
        self, streams: Sequence[str] | None = None, message_ids: Sequence[str] | None = None
    ) -> list[WaitingRejection]:
        """Return those that were not sent back, oldest first.

        Args:
            streams: Only those that one of these streams rejected; of all if None.
            message_ids: Only these; all if None.
        """
        with map_postgres_errors(), transaction(self._connection) as cursor:
            cursor.execute(
                "SELECT message_id::text, stream, queue FROM rejected_messages WHERE requeued_at IS NULL"
                " AND (%s::text[] IS NULL OR stream = ANY (%s::text[]))"
                " AND (%s::uuid[] IS NULL OR message_id = ANY (%s::uuid[])) ORDER BY rejected_at, message_id",
                [streams, streams, message_ids, message_ids],
            )
            return [WaitingRejection(*row) for row in cursor]

    def find(self, message_id: str) -> tuple[RejectedMessage, bytes] | None:
        """Return one with its sealed body, or None if there is none of that id."""
        query = sql.SQL("SELECT body, {columns} FROM rejected_messages WHERE message_id = %s").format(
            columns=sql.SQL(_COLUMNS)
        )
        with map_postgres_errors(), transaction(self._connection) as cursor:
            cursor.execute(query, [message_id])
            row = cursor.fetchone()
        return (RejectedMessage(*row[1:]), bytes(row[0])) if row else None

    @contextlib.contextmanager
    def requeuing(self, message_id: str, stream: str) -> Iterator[Requeue | None]:
        """Lock one that was not sent back yet, and mark it as sent back when the block ends.

        Yields None where it is not there or was sent back: two callers at once never both send it. The block sends the
        body and then says so by `Requeue.sent_as`; if it fails before, nothing is marked.

        A process that dies between the two has sent a message that is not marked; promise 1 goes before promise 2.

        Args:
            message_id: The MessageId.
            stream: The stream that rejected it; one of another stream is not there.
        """
        with map_postgres_errors(), transaction(self._connection) as cursor:
            cursor.execute(
                "SELECT body FROM rejected_messages"
                " WHERE message_id = %s AND stream = %s AND requeued_at IS NULL FOR UPDATE",
                [message_id, stream],
            )
            row = cursor.fetchone()
            requeue = Requeue(bytes(row[0])) if row else None
            yield requeue
            if requeue is not None and requeue.new_message_id is not None:
                cursor.execute(
                    "UPDATE rejected_messages SET requeued_at = now(), requeued_message_id = %s WHERE message_id = %s",
                    [requeue.new_message_id, message_id],
                )

    def count_older_than(self, age: timedelta, stream: str | None = None) -> OldRejections:
        """Count those that were rejected longer ago than `age`, by the server's clock, and say when that is.

        Args:
            age: How long ago.
            stream: Only those of one stream.
        """
        with map_postgres_errors(), transaction(self._connection) as cursor:
            cursor.execute(
                "SELECT now() - %s, count(*), count(*) FILTER (WHERE requeued_at IS NULL) FROM rejected_messages"
                " WHERE rejected_at < now() - %s AND stream = coalesce(%s, stream)",
                [age, age, stream],
            )
            ((before, count, waiting),) = cursor.fetchall()
        return OldRejections(before, count, waiting)

    def delete_before(self, before: datetime, stream: str | None = None) -> int:
        """Delete those that were rejected before a moment, some thousand a transaction, and return how many.

        Args:
            before: The moment.
            stream: Only those of one stream.
        """
        deleted = 0
        while True:
            with map_postgres_errors(), transaction(self._connection) as cursor:
                cursor.execute(
                    "DELETE FROM rejected_messages WHERE message_id IN (SELECT message_id FROM rejected_messages"
                    " WHERE rejected_at < %s AND stream = coalesce(%s, stream) LIMIT %s)",
                    [before, stream, ROWS_PER_DELETE],
                )
                deleted += cursor.rowcount
                if cursor.rowcount < ROWS_PER_DELETE:
                    return deleted


class Requeue:
    """A rejected message that is being sent back.

    Args:
        sealed_body: Its body, encrypted.
    """

    def __init__(self, sealed_body: bytes) -> None:
        self.sealed_body = sealed_body
        self.new_message_id: str | None = None

    def sent_as(self, message_ids: Sequence[str]) -> None:
        """Note that the message was sent, and under which new MessageId."""
        (self.new_message_id,) = message_ids
