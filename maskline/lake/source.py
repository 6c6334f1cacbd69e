"""The rows of a stream's table that were committed between two horizons.

Every row carries the transaction that wrote it (``written_in``, of type xid8, which never wraps). A *horizon* is a
transaction id below which every transaction has ended: Postgres names one as ``pg_snapshot_xmin``. So the rows from one
horizon to the next are complete, however long some transaction was open: a row whose transaction is still running, or
began before and commits later, lies at or above the horizon. A sequence number or a clock cannot promise that.

A horizon means something in the server alone whose transactions it counts, and only from the state on in which it
was reached. So each publication first enters its horizon into ``lake_publications``, with the transaction that does.
An entry is *proved* where Postgres's own ``xmin`` of the row is that transaction: a row that pg_dump or replication
brought was written by another one, and a database that went back to an earlier state does not have it. That takes no
permission, and holds through pg_upgrade, which keeps the transactions and changes the system identifier. Where the
entry is not proved, all rows are compared with the copy's. *Foreign* rows, written by transactions that this server
has not come to yet, tell of themselves; they are compared until it has passed them. For as long as some transaction is
open, foreign rows look like rows that are written beside it; so where all rows are compared, all that can be read are,
those above the horizon as well.

Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT and
https://www.postgresql.org/docs/current/ddl-system-columns.html
"""

from __future__ import annotations

import contextlib
import itertools
import operator
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from psycopg import sql

from maskline.errors import DatabaseError, Remedy
from maskline.lake.columns import KEY_ID, NOT_HELD, PARTITION, LakeColumn, day_expression
from maskline.lake.copies import Copy
from maskline.lake.exclusive_lock import LOCK_SECONDS, exclusive_lock
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import (
    NO_TRANSACTION_TIMEOUTS,
    Connect,
    Connection,
    Cursor,
    map_postgres_errors,
    transaction,
)
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS
from maskline.streams.definition import WRITTEN_IN, StreamDefinition

ROWS_PER_FETCH = 5000

_SESSION_SETTINGS = (
    "SET LOCAL TIME ZONE 'UTC'; SET LOCAL DateStyle = 'ISO, YMD'; SET LOCAL bytea_output = 'hex';"
    f" SET LOCAL extra_float_digits = 1; {NO_TRANSACTION_TIMEOUTS}"
)
"""What the text of a value depends on, whatever the server, the database, the role or the environment has set."""

Row = tuple[Any, ...]


class Interval(msgspec.Struct, frozen=True):
    """The rows of some transactions.

    Attributes:
        first: The first transaction.
        horizon: The transaction after the last.
        rows: How many rows they wrote, those beyond included.
        beyond: The first and the last transaction above the horizon whose rows belong to it, or None.
        is_compared: Whether the copy may have some of them already.
        compared_below: Up to which transaction foreign rows may lie, so that later intervals are to be compared.
    """

    first: int
    horizon: int
    rows: int = 0
    beyond: tuple[int, int] | None = None
    is_compared: bool = False
    compared_below: int | None = None

    @property
    def condition(self) -> sql.Composable:
        """Which rows they are, in SQL."""
        own = _BETWEEN.format(sql.Literal(str(self.first)), sql.Literal(str(self.horizon)))
        if self.beyond is None:
            return own
        first, last = self.beyond
        return sql.SQL("({} OR {})").format(own, _BETWEEN.format(sql.Literal(str(first)), sql.Literal(str(last + 1))))


_BETWEEN = sql.SQL("written_in >= {}::xid8 AND written_in < {}::xid8")


class IdsOfDay(msgspec.Struct, frozen=True):
    """The rows of a table of one day, by message id.

    Attributes:
        day: The day, or None for rows without one.
        message_ids: Their message ids.
    """

    day: date | None
    message_ids: set[str]

    def comes_before(self, day: date | None) -> bool:
        """Return whether it comes before another day; the rows without one come last."""
        return self.day is not None and (day is None or self.day < day)


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
        """Check that the table has all columns, ``written_in`` included, and that publications can be entered.

        Raises:
            DatabaseError: It does not; the message says what changes it.
        """
        with self._transaction() as cursor:
            cursor.execute(
                "SELECT to_regclass('lake_restores') IS NOT NULL, to_regclass(%s) IS NOT NULL,"
                " EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attname = %s"
                " AND atttypid = 'xid8'::regtype),"
                " ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass(%s))",
                [self._stream.table, self._stream.table, WRITTEN_IN, self._stream.table],
            )
            ((is_migrated, has_table, has_column, names),) = cursor.fetchall()
        table = self._stream.table
        if not is_migrated:
            raise DatabaseError("postgres: there is no lake_restores", remedy=Remedy.MIGRATE)
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

    def next_interval(self, lake_table: str, horizon: int | None, max_rows: int) -> Interval | None:
        """Return what to publish next, or None where nothing was committed since.

        Args:
            lake_table: The id of the copy's Delta table.
            horizon: The horizon that the copy has, or None if nothing was published.
            max_rows: How many rows to take at most, but for a single transaction that wrote more and where all rows are
                compared.
        """
        with self._transaction() as cursor:
            ceiling, upcoming, last = self._bounds(cursor)
            compared_below = 0 if horizon is None else self._compared_below(cursor, lake_table, horizon)
            has_foreign = last >= max(upcoming, compared_below or 0)
            if compared_below is None or (horizon or 0) > ceiling or has_foreign:
                beyond = (ceiling, last) if last >= ceiling else None
                everything = Interval(0, ceiling, 0, beyond, True, max(upcoming, last + 1))
                return msgspec.structs.replace(everything, rows=self._count(cursor, everything))
            found = self._interval_of_rows(cursor, horizon or 0, ceiling, max_rows)
            if found is None:
                return None
            is_compared = horizon is not None and (
                found.first < compared_below or self._has_restored_rows(cursor, found)
            )
            below = compared_below if compared_below > found.horizon else None
            return msgspec.structs.replace(found, is_compared=is_compared, compared_below=below)

    def up_to(self, horizon: int) -> Interval:
        """Return the rows that a copy should have.

        Args:
            horizon: The copy's horizon.
        """
        with self._transaction() as cursor:
            _, upcoming, last = self._bounds(cursor)
        return Interval(0, horizon, beyond=(upcoming, last) if last >= upcoming else None)

    def not_proved(self, lake_table: str, horizon: int) -> Interval | None:
        """Return the rows above a copy's horizon of which only the copy tells whether they were published.

        Args:
            lake_table: The id of the copy's Delta table.
            horizon: The copy's horizon.

        Returns:
            They, or None where there cannot be any.
        """
        with self._transaction() as cursor:
            _, upcoming, _ = self._bounds(cursor)
            compared_below = self._compared_below(cursor, lake_table, horizon)
        below = upcoming if compared_below is None else min(upcoming, compared_below)
        return Interval(horizon, below) if below > horizon else None

    def _interval_of_rows(self, cursor: Cursor, first: int, ceiling: int, max_rows: int) -> Interval | None:
        found = Interval(first, ceiling)
        # By the column: a bare written_in would be the text of the SELECT, where 1000 comes before 999.
        query = sql.SQL("SELECT written_in::text FROM {} AS t WHERE {} ORDER BY t.written_in OFFSET %s LIMIT 1")
        cursor.execute(query.format(self._table, found.condition), [max_rows])
        beyond = cursor.fetchall()
        horizon = int(beyond[0][0]) if beyond else ceiling
        rows = self._count(cursor, Interval(first, horizon))
        if beyond and not rows:
            # One transaction wrote more than the limit; it is taken whole.
            horizon += 1
            rows = self._count(cursor, Interval(first, horizon))
        return Interval(first, horizon, rows) if rows else None

    def _bounds(self, cursor: Cursor) -> tuple[int, int, int]:
        """Return the horizon there is now, the first transaction to come, and the last of any row, -1 if there is none.

        Rows at or above the first transaction to come are foreign.
        """
        query = (
            "SELECT pg_snapshot_xmin(now)::text, pg_snapshot_xmax(now)::text,"
            " (SELECT written_in::text FROM {} AS t ORDER BY t.written_in DESC LIMIT 1)"
            " FROM pg_current_snapshot() AS now"
        )
        cursor.execute(sql.SQL(query).format(self._table))
        ((ceiling, upcoming, last),) = cursor.fetchall()
        return int(ceiling), int(upcoming), -1 if last is None else int(last)

    def _compared_below(self, cursor: Cursor, lake_table: str, horizon: int) -> int | None:
        """Return up to which transaction foreign rows may lie, or None where the copy's horizon is not proved."""
        cursor.execute(
            "SELECT coalesce(compared_below::text, '0') FROM lake_publications"
            " WHERE lake_table = %s AND horizon = %s::xid8"
            # xmin has the lower 32 bits
            " AND xmin::text::numeric = recorded_in::text::numeric %% 4294967296"
            " ORDER BY id DESC LIMIT 1",
            [lake_table, str(horizon)],
        )
        found = cursor.fetchall()
        return int(found[0][0]) if found else None

    def _has_restored_rows(self, cursor: Cursor, interval: Interval) -> bool:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM lake_restores"
            " WHERE stream = %s AND recorded_in >= %s::xid8 AND recorded_in < %s::xid8)",
            [self._stream.name, str(interval.first), str(interval.horizon)],
        )
        ((has_rows,),) = cursor.fetchall()
        return bool(has_rows)

    def waiting(self, first: int) -> Backlog:
        """Return the rows that are not published yet, whether their transactions have ended or not.

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

    def record_intent(self, copy: Copy, lake_table: str, interval: Interval) -> None:
        """Enter what is going to be published, and commit, so that the copy's horizon can be proved.

        That commit reaches the disk after all the rows below the horizon.

        Args:
            copy: Which copy.
            lake_table: The id of the copy's Delta table.
            interval: What is going to be published.
        """
        with self._transaction("READ COMMITTED") as cursor:
            # Whatever the server's default: this commit has to be on disk, and with it all before it.
            cursor.execute(
                "SET LOCAL synchronous_commit = on;"
                " INSERT INTO lake_publications (stream, copy, lake_table, horizon, row_count, compared_below)"
                " VALUES (%s, %s, %s, %s::xid8, %s, %s::text::xid8)",
                [
                    self._stream.name,
                    copy.value,
                    lake_table,
                    str(interval.horizon),
                    interval.rows,
                    interval.compared_below and str(interval.compared_below),
                ],
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
    def reading(self, columns: Sequence[LakeColumn], interval: Interval) -> Iterator[Iterator[list[Row]]]:
        """Read the rows of an interval from one snapshot, a day after the other, never all of them at once.

        Behind the columns' values each row has the id of its key, or None where it names none.

        Args:
            columns: What to read of each.
            interval: The interval.
        """
        query = sql.SQL("SELECT {columns} FROM {table} WHERE {condition} ORDER BY {day}").format(
            table=self._table,
            condition=interval.condition,
            columns=sql.SQL(", ").join([*(column.expression for column in columns), sql.Identifier(KEY_ID)]),
            day=sql.Identifier(PARTITION),
        )
        with self._transaction() as cursor, map_postgres_errors(), cursor.connection.cursor("rows_of_lake") as rows:
            rows.itersize = ROWS_PER_FETCH
            rows.execute(query)
            yield _batches(rows)

    @contextlib.contextmanager
    def message_ids_by_day(self) -> Iterator[Iterator[IdsOfDay]]:
        """Read the message ids of the table from one snapshot, a day after the other."""
        query = sql.SQL(
            "SELECT nullif({day}, {none}), message_id::text FROM {table} WHERE message_id IS NOT NULL ORDER BY 1"
        )
        with self._transaction() as cursor, map_postgres_errors(), cursor.connection.cursor("ids_of_lake") as rows:
            rows.itersize = ROWS_PER_FETCH
            rows.execute(query.format(day=day_expression(), none=sql.Literal(NOT_HELD), table=self._table))
            yield _by_day(rows)

    def exclusive_lock(
        self, what: str, stopping: threading.Event | None = None, seconds: float = LOCK_SECONDS
    ) -> AbstractContextManager[bool]:
        """Keep others from doing the same to the table's copies while a block runs, as `exclusive_lock` says.

        Args:
            what: What is done alone, the name of a copy say.
            stopping: Ends the wait when set.
            seconds: The longest to wait.
        """
        return exclusive_lock(self._connect, self._stream, what, stopping, seconds)

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
    def _transaction(self, isolation: str = "REPEATABLE READ") -> Iterator[Cursor]:
        connection = self._open()
        try:
            with map_postgres_errors(), transaction(connection) as cursor:
                cursor.execute(
                    f"SET TRANSACTION ISOLATION LEVEL {isolation}; {FULL_SCAN_SETTINGS}; {_SESSION_SETTINGS}"
                )
                yield cursor
        except BaseException:
            # What is wrong with it is not known here; a new one is opened in a moment.
            self.close()
            raise

    def _count(self, cursor: Cursor, interval: Interval) -> int:
        cursor.execute(sql.SQL("SELECT count(*) FROM {} WHERE {}").format(self._table, interval.condition))
        ((rows,),) = cursor.fetchall()
        return int(rows)


def _by_day(rows: Iterable[tuple[Any, ...]]) -> Iterator[IdsOfDay]:
    for day, of_day in itertools.groupby(rows, key=operator.itemgetter(0)):
        ids = {message_id for _, message_id in of_day}
        yield IdsOfDay(None if day is None else date(1970, 1, 1) + timedelta(days=day), ids)


def _batches(rows: Any) -> Iterator[list[Row]]:
    while batch := rows.fetchmany(ROWS_PER_FETCH):
        yield batch
