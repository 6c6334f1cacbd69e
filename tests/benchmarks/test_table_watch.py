"""The watch: a row's time is that of the first look in which it was visible."""

from __future__ import annotations

import functools
import itertools

import pytest

from benchmarks.table_watch import Snapshot, TableWatch
from maskline.postgres.connection import Connection, connect, open_connection
from tests.awaiting import await_until


@pytest.mark.parametrize(
    ("transaction", "is_visible"), [(9, True), (10, False), (11, True), (14, False), (19, True), (20, False)]
)
def test_a_snapshot_shows_what_was_over_when_it_was_taken(transaction: int, is_visible: bool) -> None:
    snapshot = Snapshot.parse("10:20:10,14", taken_at=0)

    assert snapshot.shows(transaction) is is_visible


def test_a_snapshot_without_running_transactions_shows_all_before_it() -> None:
    snapshot = Snapshot.parse("20:20:", taken_at=0)

    assert snapshot.shows(19)
    assert not snapshot.shows(20)


def test_a_row_arrives_when_it_is_committed_and_not_when_it_is_inserted(dsn: str, database: Connection) -> None:
    ticks = itertools.count(1)
    looked_at: list[float] = []

    def clock() -> float:
        looked_at.append(float(next(ticks)))
        return looked_at[-1]

    slow = open_connection(dsn)
    with TableWatch(functools.partial(connect, dsn), "user_logins", seconds=0.001, clock=clock) as watch:
        with slow.cursor() as cursor:
            cursor.execute("INSERT INTO user_logins (user_id) VALUES ('slow')")
        with database.cursor() as cursor:
            cursor.execute("INSERT INTO user_logins (user_id) VALUES ('quick')")
        await_until(lambda: watch.rows == 1, "the watch sees the committed row")
        seen_by = looked_at[-1]
        await_until(lambda: looked_at[-1] > seen_by + 2, "the look that saw it is over")
        slow_is_committed_after = looked_at[-1]
        slow.commit()
        await_until(lambda: watch.rows == 2, "the watch sees both rows")
    slow.close()

    arrivals = watch.arrivals_by("user_id")
    assert arrivals["quick"] < slow_is_committed_after <= arrivals["slow"] <= looked_at[-1]
    assert watch.arrivals() == sorted(arrivals.values())
