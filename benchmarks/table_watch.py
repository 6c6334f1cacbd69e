"""When rows became visible, to a few milliseconds, whoever wrote them and whatever columns they filled.

Counting rows costs more the more there are, and a commit's own time stamp is taken before its log is flushed. So
another session takes a *snapshot* again and again, which costs the same always, and keeps when. Afterwards each row's
transaction is looked up: the row was visible in the first snapshot that its transaction is not running in.

Source: https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT
"""

from __future__ import annotations

import bisect
import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec
from psycopg import sql

from benchmarks.queries import fetch_value
from maskline.postgres.connection import Connection

COUNTING_SHARE = 0.02
"""The most of a session's time that counting rows, for the progress shown meanwhile, may take."""


class Snapshot(msgspec.Struct, frozen=True):
    """Which transactions a session saw.

    Attributes:
        taken_at: When it had the answer, in seconds since the epoch.
        first_running: The oldest transaction that was running; all before it were over.
        first_unknown: The first that had not begun.
        running: Those in between that were running.
    """

    taken_at: float
    first_running: int
    first_unknown: int
    running: frozenset[int]

    @classmethod
    def parse(cls, text: str, taken_at: float) -> Snapshot:
        """Read Postgres' own notation, ``10:20:10,14``.

        Args:
            text: What ``pg_current_snapshot()`` gave.
            taken_at: When.
        """
        first_running, first_unknown, running = text.split(":")
        return cls(
            taken_at, int(first_running), int(first_unknown), frozenset(map(int, running.split(",")) if running else ())
        )

    def shows(self, transaction: int) -> bool:
        """Return whether what a committed transaction wrote is visible.

        Args:
            transaction: Its id.
        """
        if transaction < self.first_running:
            return True
        return transaction < self.first_unknown and transaction not in self.running


class TableWatch:
    """Watches a table from a thread of its own while the ``with`` block runs.

    Args:
        connect: Opens a connection.
        table: The table.
        seconds: How long to wait between two looks, which is how exact its times are.
        clock: Seconds since the epoch.
    """

    def __init__(
        self, connect: Callable[[], Connection], table: str, seconds: float, clock: Callable[[], float] = time.time
    ) -> None:
        self._connect = connect
        self._table = sql.Identifier(table)
        self._seconds = seconds
        self._clock = clock
        self._snapshots: list[Snapshot] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="table-watch", daemon=True)
        self.rows = 0
        """How many rows there were at the last count, which may be a little while ago."""

    def __enter__(self) -> TableWatch:
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching, after one last look."""
        self._ended.set()
        self._thread.join()

    def arrivals(self) -> list[float]:
        """Return when each row became visible, in seconds since the epoch and in that order."""
        rows = self._query(sql.SQL("SELECT xmin::text::bigint, count(*) FROM {} GROUP BY 1").format(self._table))
        return sorted(moment for transaction, count in rows for moment in [self._visible_at(transaction)] * count)

    def arrivals_by(self, column: str) -> dict[str, float]:
        """Return when the row with each value of a column became visible.

        Args:
            column: A column whose values do not repeat.
        """
        query = sql.SQL("SELECT {}, xmin::text::bigint FROM {}").format(sql.Identifier(column), self._table)
        return {value: self._visible_at(transaction) for value, transaction in self._query(query)}

    def _visible_at(self, transaction: int) -> float:
        place = bisect.bisect_left(self._snapshots, True, key=lambda snapshot: snapshot.shows(transaction))
        return self._snapshots[place].taken_at

    def _query(self, query: sql.SQL | sql.Composed) -> list[tuple[Any, ...]]:
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def _watch(self) -> None:
        connection = self._connect()
        connection.autocommit = True
        next_count = 0.0
        with connection.cursor() as cursor:
            has_ended = False
            while not has_ended:
                has_ended = self._ended.wait(self._seconds)
                snapshot = fetch_value(cursor, "SELECT pg_current_snapshot()::text")
                self._snapshots.append(Snapshot.parse(snapshot, self._clock()))
                if has_ended or self._clock() >= next_count:
                    started = self._clock()
                    self.rows = fetch_value(cursor, sql.SQL("SELECT count(*) FROM {}").format(self._table))
                    spent = self._clock() - started
                    next_count = started + max(0.25, spent / COUNTING_SHARE)
        connection.close()
