"""Deleting what is older than its retention: rows of a stream's table, rejections that were sent back, log entries.

Whole partitions are dropped, which leaves no dead row and takes no time; other rows go in batches, each in a
transaction of its own, so that nobody waits. What the log loses it says itself, by an entry that stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, timedelta

import msgspec
from psycopg import sql

from maskline.postgres.access_log import access_log, enter_access
from maskline.postgres.connection import Connection, map_postgres_errors, transaction
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS
from maskline.postgres.statements import REJECTED_MESSAGES
from maskline.streams.stream import StreamDefinition

ROWS_PER_BATCH = 10_000

_SETTINGS = f"{FULL_SCAN_SETTINGS}; SET LOCAL TIME ZONE 'UTC'"
_OLD_PARTITIONS = r"""
    SELECT part.oid::regclass::text
    FROM pg_partitioned_table AS parted
    JOIN pg_inherits ON inhparent = partrelid
    JOIN pg_class AS part ON part.oid = inhrelid
    WHERE partrelid = to_regclass(%s) AND partstrat = 'r' AND partnatts = 1
      AND replace(pg_get_partkeydef(partrelid), '"', '') IN ('RANGE (create_date)', 'RANGE (sent_at)')
      AND (regexp_match(pg_get_expr(relpartbound, part.oid), $$TO \('([^']+)'\)$$))[1]::timestamptz <= %s::timestamptz
    ORDER BY 1
"""


class OldRows(msgspec.Struct, frozen=True):
    """What of a stream's table is older than its retention.

    Attributes:
        before: The first day, of SentTimestamp in UTC, whose rows stay.
        partitions: The partitions that are older as a whole, each as SQL takes it.
        rows: How many rows there are, those of the partitions included.
    """

    before: date
    partitions: list[str]
    rows: int


def find_old_rows(connection: Connection, stream: StreamDefinition, age: timedelta) -> OldRows:
    """Find what is older, and delete nothing. Rows without ``create_date`` have no age, and are kept.

    Args:
        connection: A connection of the table's owner.
        stream: The stream.
        age: How old a row may be, by the server's clock.

    Raises:
        DatabaseError: The table or a permission is missing.
    """
    table = sql.Identifier(*stream.table_parts)
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute(_SETTINGS)
        cursor.execute("SELECT (now() - %s)::date", [age])
        ((before,),) = cursor.fetchall()
        cursor.execute(_OLD_PARTITIONS, [stream.table, before])
        partitions = [name for (name,) in cursor]
        cursor.execute(sql.SQL("SELECT count(*) FROM {} WHERE create_date < %s").format(table), [before])
        ((rows,),) = cursor.fetchall()
    return OldRows(before, partitions, rows)


def delete_old_rows(connection: Connection, stream: StreamDefinition, old: OldRows) -> Iterator[int]:
    """Drop the partitions and delete the rows, and yield after each transaction how many rows it removed.

    Args:
        connection: A connection of the table's owner.
        stream: The stream.
        old: What `find_old_rows` found.

    Raises:
        DatabaseError: A permission is missing.
        DatabaseUnavailableError: A table was in use for too long. What was deleted so far stays deleted.
    """
    table = sql.Identifier(*stream.table_parts)
    for partition in old.partitions:
        with map_postgres_errors(), transaction(connection) as cursor:
            cursor.execute(_SETTINGS)
            name = sql.SQL(partition)  # regclass has quoted it
            cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(name))
            cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(name))
            ((rows,),) = cursor.fetchall()
            cursor.execute(sql.SQL("DROP TABLE {}").format(name))
        yield rows
    batch = sql.SQL(
        "DELETE FROM {table} WHERE (tableoid, ctid) IN"
        " (SELECT tableoid, ctid FROM {table} WHERE create_date < %s LIMIT {limit})"
    ).format(table=table, limit=sql.Literal(ROWS_PER_BATCH))
    deleted = -1
    while deleted:
        with map_postgres_errors(), transaction(connection) as cursor:
            cursor.execute(_SETTINGS)
            cursor.execute(batch, [old.before])
            deleted = cursor.rowcount
        yield deleted


def delete_requeued(connection: Connection, age: timedelta, reason: str | None) -> int:
    """Delete the rejections that were sent back longer ago, and enter it into ``pii_access_log``, in one transaction.

    Args:
        connection: A connection of the table's owner.
        age: How long ago.
        reason: Why; None to count them, and delete nothing.

    Returns:
        How many.

    Raises:
        DatabaseError: The table or a permission is missing.
    """
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute(_SETTINGS)
        cursor.execute("DELETE FROM rejected_messages WHERE requeued_at < now() - %s", [age])
        deleted = int(cursor.rowcount)
        if reason is None:
            connection.rollback()
        elif deleted:
            action = "retain rejections"
            enter_access(
                cursor, action=action, stream=REJECTED_MESSAGES, column="body", row_count=deleted, reason=reason
            )
    return deleted


def delete_log_entries(connection: Connection, age: timedelta, reason: str | None) -> int:
    """Delete entries of ``pii_access_log`` that are older, and leave one that says how many and up to when.

    The log takes no deletion from anybody. Only its owner can lift that, and does so for this transaction alone, which
    nobody else sees.

    Args:
        connection: A connection of the log's owner.
        age: How old an entry may be.
        reason: Why; None to count them, and delete nothing.

    Returns:
        How many.

    Raises:
        DatabaseError: The log is somebody else's.
    """
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute(_SETTINGS)
        log = access_log(cursor)
        cursor.execute("SELECT now() - %s", [age])
        ((before,),) = cursor.fetchall()
        if reason is None:
            cursor.execute(sql.SQL("SELECT count(*) FROM {} WHERE accessed_at < %s").format(log), [before])
            ((count,),) = cursor.fetchall()
            return int(count)
        cursor.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER append_only").format(log))
        cursor.execute(sql.SQL("DELETE FROM {} WHERE accessed_at < %s").format(log), [before])
        deleted = int(cursor.rowcount)
        cursor.execute(sql.SQL("ALTER TABLE {} ENABLE TRIGGER append_only").format(log))
        if deleted:
            enter_access(
                cursor,
                action="retain log",
                stream="pii_access_log",
                column="accessed_at",
                row_count=deleted,
                reason=reason,
                condition=f"accessed_at < '{before.astimezone(UTC).isoformat()}'",
            )
        else:
            connection.rollback()
    return deleted
