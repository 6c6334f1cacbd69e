"""No wait for Postgres lasts for ever, whatever the other end acknowledges."""

from __future__ import annotations

import functools
import os
import socket
import threading
import time
from collections.abc import Iterator

import psutil
import psycopg
import pytest

from maskline.errors import DatabaseError, DatabaseUnavailableError
from maskline.postgres import deadlines
from maskline.postgres.connection import Connection, connect
from maskline.postgres.deadlines import Deadlines
from maskline.watchdog import Watchdog
from tests.awaiting import await_until
from tests.faults.postgres_wire import dsn_through, postgres_proxy
from tests.faults.tcp_proxy import TcpProxy
from tests.maskline.postgres.records import connected, run, value_of

NEVER = threading.Event()


@pytest.fixture
def line(dsn: str) -> Iterator[TcpProxy]:
    """The line to the database, which hangs when told."""
    with postgres_proxy(dsn) as proxy:
        yield proxy


@pytest.fixture
def connection(line: TcpProxy, dsn: str) -> Iterator[Connection]:
    """A connection over that line."""
    with connected(dsn_through(line, dsn)) as connection:
        yield connection


def test_a_query_on_a_line_that_hangs_ends_in_time(line: TcpProxy, connection: Connection) -> None:
    line.hang()

    with (
        pytest.raises(DatabaseUnavailableError, match=r"^postgres: a query got no answer in [1-9] s$"),
        Deadlines().within(connection, 1, "a query", NEVER),
    ):
        run(connection, "SELECT 1")

    assert connection.closed


def test_a_query_in_time_is_left_alone_and_so_is_its_connection(connection: Connection) -> None:
    limits = Deadlines()

    for number in range(3):
        with limits.within(connection, 5, "a query", NEVER):
            assert value_of(connection, "SELECT %s", [number]) == number


def test_an_error_in_time_is_raised_as_it_is(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), Deadlines().within(connection, 5, "a query", NEVER):
        run(connection, "SELECT 1 / 0")


def test_a_stop_ends_a_query_that_hangs(
    line: TcpProxy, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.watchdog.STOP_GRACE_SECONDS", 1)
    stopping = threading.Event()
    line.hang()
    threading.Timer(0.5, stopping.set).start()
    started = time.monotonic()

    with (
        pytest.raises(DatabaseUnavailableError, match="got no answer"),
        Deadlines().within(connection, 300, "a query", stopping),
    ):
        run(connection, "SELECT 1")

    assert time.monotonic() - started < 10


def test_a_wait_takes_no_descriptor_for_good(connection: Connection) -> None:
    limits = Deadlines()
    before = psutil.Process().num_fds()

    for _ in range(50):
        with limits.within(connection, 5, "a query", NEVER):
            run(connection, "SELECT 1")

    assert psutil.Process().num_fds() <= before  # what others of this process had may be closed meanwhile


def test_a_file_that_took_over_the_connections_number_is_left_alone(line: TcpProxy, connection: Connection) -> None:
    line.hang()
    left, right = socket.socketpair()

    watchdog = Watchdog()
    with Deadlines(watchdog).within(connection, 0, "a query", NEVER):
        number = connection.fileno()
        connection.close()
        os.dup2(left.fileno(), number)
        (wait,) = watchdog._waits
        await_until(lambda: wait.is_over, "the wait was ended")

    left.send(b"still open")
    assert right.recv(10) == b"still open"
    os.close(number)
    left.close()
    right.close()


def test_connecting_to_what_takes_connections_and_never_answers_ends_in_time(line: TcpProxy, dsn: str) -> None:
    line.hang()

    with pytest.raises(DatabaseUnavailableError, match=r"^postgres: connecting got no answer in [1-9] s$"):
        Deadlines().connect(functools.partial(connect, dsn_through(line, dsn)), NEVER, seconds=1)


def test_a_connection_that_comes_too_late_is_closed(line: TcpProxy, dsn: str, database: Connection) -> None:
    line.hang()
    with pytest.raises(DatabaseUnavailableError):
        Deadlines().connect(functools.partial(connect, dsn_through(line, dsn)), NEVER, seconds=1)

    line.resume()

    await_until(lambda: "postgres-connect" not in _threads(), "the attempt has ended")
    others = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'maskline'"
    )
    await_until(lambda: value_of(database, others) == 0, "its connection is closed")


def test_a_name_server_that_hangs_is_given_up() -> None:
    answered = threading.Event()

    def hang_in_the_name_server() -> Connection:
        answered.wait(60)
        raise DatabaseUnavailableError("postgres: no such host")

    with pytest.raises(DatabaseUnavailableError, match=r"connecting got no answer in [1-9] s"):
        Deadlines().connect(hang_in_the_name_server, NEVER, seconds=1)
    answered.set()
    await_until(lambda: "postgres-connect" not in _threads(), "the attempt has ended")


def test_attempts_that_do_not_end_are_not_heaped_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "MAX_ATTEMPTS", 2)
    answered = threading.Event()
    limits = Deadlines()

    def hang() -> Connection:
        answered.wait(60)
        raise DatabaseUnavailableError("postgres: no such host")

    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError, match="connecting got no answer"):
            limits.connect(hang, NEVER, seconds=0)
    with pytest.raises(DatabaseUnavailableError, match="2 attempts to connect got no answer and have not ended"):
        limits.connect(hang, NEVER, seconds=0)
    assert _threads().count("postgres-connect") == 2

    answered.set()
    await_until(lambda: "postgres-connect" not in _threads(), "the attempts have ended")
    with pytest.raises(DatabaseUnavailableError, match="no such host"):
        limits.connect(hang, NEVER)


def test_what_connecting_fails_with_comes_out_as_it_is() -> None:
    def fail() -> Connection:
        raise DatabaseError("postgres: refuses the login")

    with pytest.raises(DatabaseError, match="refuses the login"):
        Deadlines().connect(fail, NEVER)


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]
