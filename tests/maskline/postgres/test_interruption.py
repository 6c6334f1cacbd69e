"""Commands that wait for Postgres: a signal ends them at once, and a server that has gone silent is found out."""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from maskline.errors import DatabaseUnavailableError
from maskline.postgres import interruption
from maskline.postgres.connection import Connection, connect, open_connection
from maskline.postgres.interruption import interruptible_queries
from maskline.postgres.schema import Schema
from tests.faults.postgres_wire import dsn_through, postgres_proxy, query_of
from tests.faults.tcp_proxy import TcpProxy
from tests.maskline.postgres.records import connected, rows_of, run, value_of


@pytest.fixture
def line(dsn: str) -> Iterator[TcpProxy]:
    """The line to the database, which hangs when told."""
    with postgres_proxy(dsn) as proxy:
        yield proxy


@contextlib.contextmanager
def interrupted_after(seconds: float) -> Iterator[None]:
    """Interrupt the main thread, and fail unless the block ends by it soon."""
    timer = threading.Timer(seconds, signal.raise_signal, [signal.SIGINT])
    started = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        yield
    timer.join()
    assert time.monotonic() - started < seconds + 10


def test_an_interrupt_ends_a_long_query(dsn: str) -> None:
    with interruptible_queries(), connected(dsn) as connection, interrupted_after(0.5):
        run(connection, "SELECT pg_sleep(60)")


def test_an_interrupt_ends_a_query_on_a_line_that_hangs(line: TcpProxy, dsn: str) -> None:
    with interruptible_queries(), connected(dsn_through(line, dsn)) as connection:
        line.hang()

        with interrupted_after(0.5):
            run(connection, "SELECT 1")


def test_an_interrupt_ends_connecting_to_what_never_answers(line: TcpProxy, dsn: str) -> None:
    line.hang()

    with interruptible_queries(), interrupted_after(0.5):
        open_connection(dsn_through(line, dsn))


def test_connecting_to_what_never_answers_is_given_up(line: TcpProxy, dsn: str) -> None:
    line.hang()

    with (
        interruptible_queries(),
        pytest.raises(psycopg.OperationalError, match="timeout expired"),
    ):
        open_connection(dsn_through(line, dsn), connect_timeout=2)


def test_a_server_that_answers_nobody_any_more_is_found_out(line: TcpProxy, dsn: str) -> None:
    with (
        interruptible_queries(probe_seconds=0.5, connect_seconds=2),
        connected(dsn_through(line, dsn)) as connection,
    ):
        line.hang()

        with pytest.raises(psycopg.OperationalError, match="answers nobody any more"):
            run(connection, "SELECT 1")


def test_a_long_query_of_a_server_that_answers_others_is_waited_for(line: TcpProxy, dsn: str) -> None:
    with (
        interruptible_queries(probe_seconds=0.2, connect_seconds=10),
        connected(dsn_through(line, dsn)) as connection,
    ):
        assert rows_of(connection, "SELECT 1 FROM (SELECT pg_sleep(2)) AS slept") == [(1,)]


def test_a_migration_on_a_line_that_hangs_is_given_up_and_can_be_repeated(unmigrated_dsn: str) -> None:
    with postgres_proxy(unmigrated_dsn) as line, interruptible_queries(probe_seconds=0.5, connect_seconds=3):
        step = line.hold_at(query_of(b"CREATE TABLE IF NOT EXISTS maskline_outcomes"))

        def hang() -> None:
            step.await_reached()
            line.hang()

        hanging = threading.Thread(target=hang)
        hanging.start()

        with pytest.raises(DatabaseUnavailableError, match="answers nobody any more"):
            Schema(functools.partial(connect, dsn_through(line, unmigrated_dsn))).migrate()
        hanging.join()

    Schema(functools.partial(connect, unmigrated_dsn)).migrate()


def test_many_rows_and_errors_come_as_ever(dsn: str) -> None:
    with interruptible_queries(), connected(dsn, autocommit=False) as connection:
        with connection.cursor("named") as cursor:
            cursor.execute("SELECT generate_series(1, 5000)")
            assert sum(number for (number,) in cursor) == 12_502_500
        with pytest.raises(psycopg.errors.DivisionByZero):
            run(connection, "SELECT 1 / 0")
        connection.rollback()
        assert value_of(connection, "SELECT 1") == 1


def test_afterwards_all_waits_are_psycopgs_again() -> None:
    with interruptible_queries():
        assert Connection.wait_for_answer is not None

    assert Connection.wait_for_answer is None
    assert interruption.PROBE_SECONDS == 60
