"""The rows of a stream's table that were committed between two horizons.

Every row carries the transaction that wrote it (``written_in``, of type xid8, which never wraps). A *horizon* is a
transaction id below which every transaction has ended: Postgres names one as ``pg_snapshot_xmin``. So the rows from one
horizon to the next are complete, however long some transaction was open: a row whose transaction is still running, or
began before and commits later, lies at or above the horizon. A sequence number or a clock cannot promise that.

Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg2 import sql

from maskline.errors import DatabaseError, Remedy
from maskline.lake.columns import PARTITION, LakeColumn
from maskline.lake.copies import Copy
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import Connect, Connection, map_postgres_errors
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS
from maskline.streams.definition import WRITTEN_IN, StreamDefinition

ROWS_PER_FETCH = 5000
PUBLICATION_LOCK = 0x6C616B65
"""The advisory lock that spares two publishers the same work ("lake" in ASCII); no promise rests on it."""

Row = tuple[Any, ...]


class Interval(msgspec.Struct, frozen=True):
    """The rows of some transactions.

    Attributes:
        first: The first transaction.
        horizon: The transaction after the last.
        rows: How many rows they wrote.
    """

    first: int
    horizon: int
    rows: int


class Backlog(msgspec.Struct, frozen=True):
    """What is not published yet.

    Attributes:
        rows: How many rows.
        oldest: When the oldest of them was written, or None where there is none.
        held_back_by: Since when the oldest open transaction keeps later ones from being published, or None.
    """

    rows: int
    oldest: datetime | None
    held_back_by: datetime | None


class RowSource:
    """Reads a stream's table, over a connection that it opens when needed and replaces when lost.

    Every method raises a `DatabaseError` where the table, a column or a permission is missing, and a
    `DatabaseUnavailableError` where nobody answers.

    Args:
        connect: Opens a connection with the permissions of ``maskline_publisher``.
        stream: The stream.
    """

    def __init__(self, connect: Connect, stream: StreamDefinition) -> None:
        self._connect = connect
        self._stream = stream
        self._table = sql.Identifier(*stream.table_parts)
        self._connection: Connection | None = None

    def check(self) -> None:
        """Check that the table has all columns, `written_in` included, and that publications can be written down.

        Raises:
            DatabaseError: It does not; the message says what changes it.
        """
        with self._transaction() as cursor:
            cursor.execute(
                "SELECT to_regclass('lake_publications') IS NOT NULL, to_regclass(%s) IS NOT NULL,"
                " EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s"
                " AND atttypid = 'xid8'::regtype),"
                " ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s))",
                [self._stream.table, self._stream.table, WRITTEN_IN, self._stream.table],
            )
            ((has_publications, has_table, has_column, names),) = cursor.fetchall()
        table = self._stream.table
        if not has_publications:
            raise DatabaseError("postgres: there is no lake_publications", remedy=Remedy.MIGRATE)
        if not has_table:
            raise DatabaseError(f"postgres: table {table} does not exist")
        if not has_column:
            raise DatabaseError(
                f"postgres: table {table} has no {WRITTEN_IN}, so nobody knows which rows are new; run: ALTER TABLE "
                f"{table} ADD {WRITTEN_IN} xid8 NOT NULL DEFAULT pg_current_xact_id(); CREATE INDEX ON {table} "
                f"({WRITTEN_IN})"
            )
        for column in self._stream.columns:
            if column.name not in names:
                raise DatabaseError(
                    f"postgres: table {table} has no column {column.name} {column.type.declaration}, which the stream "
                    f"{self._stream.name} names; add it, or publish with the definition that the job has"
                )

    def next_interval(self, first: int, most_rows: int) -> Interval | None:
        """Return what to publish next, or None where nothing was committed since.

        Args:
            first: The horizon of the last publication, 0 if there was none.
            most_rows: How many rows to take at most, but for a single transaction that wrote more.
        """
        with self._transaction() as cursor:
            ceiling = _ceiling(cursor)
            place = self._query("SELECT written_in::text FROM {} WHERE {} ORDER BY written_in OFFSET %s LIMIT 1")
            cursor.execute(place, [str(first), str(ceiling), most_rows])
            beyond = cursor.fetchall()
            horizon = int(beyond[0][0]) if beyond else ceiling
            rows = self._count(cursor, first, horizon)
            if beyond and not rows:
                # One transaction wrote more than the limit; it is taken whole.
                horizon += 1
                rows = self._count(cursor, first, horizon)
        return Interval(first, horizon, rows) if rows else None

    def waiting(self, first: int) -> Backlog:
        """Return what is not published yet, whether its transactions have ended or not.

        Args:
            first: The horizon of the last publication, 0 if there was none.
        """
        with self._transaction() as cursor:
            query = "SELECT count(*), min(processed_at) FROM {} WHERE written_in >= %s::xid8"
            cursor.execute(sql.SQL(query).format(self._table), [str(first)])
            ((rows, oldest),) = cursor.fetchall()
            cursor.execute(
                "SELECT min(xact_start) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
            )
            ((held_back_by,),) = cursor.fetchall()
        return Backlog(rows, oldest, held_back_by if rows else None)

    def check_knows(self, lake_table: str, horizon: int, uri: str) -> None:
        """Check that this database is the one a copy was published from, and has all that it had then.

        Each publication writes its horizon down in the database before it takes a row, and that commit reaches the disk
        after all the rows below the horizon. So a database that does not know the horizon of a copy has gone back to
        an earlier state, or is another one.

        Args:
            lake_table: The id of the copy's Delta table.
            horizon: The copy's horizon.
            uri: Where the copy is, for the error.

        Raises:
            DatabaseError: It is not.
        """
        with self._transaction() as cursor:
            ceiling = _ceiling(cursor)
            cursor.execute(
                "SELECT EXISTS (SELECT FROM lake_publications WHERE lake_table = %s AND horizon = %s::xid8)",
                [lake_table, str(horizon)],
            )
            ((is_known,),) = cursor.fetchall()
        if not is_known or horizon > ceiling:
            raise DatabaseError(
                f"postgres: this database does not know of the publication up to transaction {horizon} that {uri} "
                "holds. It was restored from a backup, or is another one, so nobody can say which rows are new. "
                "Compare the copy with the table, then remove the copy and publish it anew",
                remedy=Remedy.COMPARE_COPY,
            )

    def record_intent(self, copy: Copy, lake_table: str, interval: Interval) -> None:
        """Write down what is going to be published, and commit: see `check_knows`.

        Args:
            copy: Which copy.
            lake_table: The id of the copy's Delta table.
            interval: What is going to be published.
        """
        with self._transaction("READ COMMITTED") as cursor:
            # Whatever the server's default: this commit has to be on disk, and with it all before it.
            cursor.execute(
                "SET LOCAL synchronous_commit = on;"
                " INSERT INTO lake_publications (stream, copy, lake_table, horizon, row_count)"
                " VALUES (%s, %s, %s, %s::xid8, %s)",
                [self._stream.name, copy.value, lake_table, str(interval.horizon), interval.rows],
            )

    def record_unmasking(self, interval: Interval, uri: str) -> None:
        """Enter into ``pii_access_log`` that values are going to be published in clear, and commit.

        Args:
            interval: What is going to be published.
            uri: Where to.
        """
        for column in self._stream.reversible_columns:
            record_access(
                self._open(),
                action="publish",
                stream=self._stream.name,
                column=column.name,
                row_count=interval.rows,
                reason=f"transactions {interval.first} to {interval.horizon - 1} to the clear copy at {uri}",
            )

    @contextlib.contextmanager
    def reading(self, columns: Sequence[LakeColumn], first: int, horizon: int) -> Iterator[Iterator[list[Row]]]:
        """Read the rows between two horizons from one snapshot, a day after the other, never all of them at once.

        Args:
            columns: What to read of each.
            first: The first transaction.
            horizon: The transaction after the last.
        """
        query = self._query(
            "SELECT {columns} FROM {} WHERE {} ORDER BY {day}",
            columns=sql.SQL(", ").join(column.expression for column in columns),
            day=sql.Identifier(PARTITION),
        )
        with self._transaction() as cursor, map_postgres_errors(), cursor.connection.cursor("rows_of_lake") as rows:
            rows.itersize = ROWS_PER_FETCH
            rows.execute(query, [str(first), str(horizon)])
            yield _batches(rows)

    @contextlib.contextmanager
    def exclusive_lock(self, what: str) -> Iterator[None]:
        """Wait until no other publisher does the same, and keep others waiting while the block runs.

        Args:
            what: What is done alone, the name of a copy say.
        """
        with contextlib.closing(self._connect()) as connection:
            connection.autocommit = True
            with map_postgres_errors(), connection.cursor() as cursor:
                key = f"{self._stream.table} {what}"
                cursor.execute("SELECT pg_advisory_lock(%s, hashtext(%s))", [PUBLICATION_LOCK, key])
            yield

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    @contextlib.contextmanager
    def _transaction(self, isolation: str = "REPEATABLE READ") -> Iterator[Any]:
        connection = self._open()
        try:
            with map_postgres_errors(), connection, connection.cursor() as cursor:
                cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {isolation}; {FULL_SCAN_SETTINGS}")
                yield cursor
        except BaseException:
            # What is wrong with it is not known here; a new one is opened in a moment.
            self.close()
            raise

    def _query(self, text: str, **parts: sql.Composable) -> sql.Composable:
        between = sql.SQL("written_in >= %s::xid8 AND written_in < %s::xid8")
        return sql.SQL(text).format(self._table, between, **parts)

    def _count(self, cursor: Any, first: int, horizon: int) -> int:
        cursor.execute(self._query("SELECT count(*) FROM {} WHERE {}"), [str(first), str(horizon)])
        ((rows,),) = cursor.fetchall()
        return int(rows)


def _ceiling(cursor: Any) -> int:
    cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
    ((ceiling,),) = cursor.fetchall()
    return int(ceiling)


def _batches(rows: Any) -> Iterator[list[Row]]:
    while batch := rows.fetchmany(ROWS_PER_FETCH):
        yield batch
