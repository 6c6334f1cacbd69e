"""What the writer does while the database is away, locked or not as it should be."""

from __future__ import annotations

import functools
import logging
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from maskline.errors import DatabaseError, DatabaseUnavailableError
from maskline.postgres import statements
from maskline.postgres.connection import Connection, Cursor, connect
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow
from maskline.streams.definition import StreamDefinition
from tests.awaiting import await_until
from tests.maskline.postgres.records import connected, message_id, row, rows_of, run, value_of


@pytest.fixture
def insert(user_logins: StreamDefinition, monkeypatch: pytest.MonkeyPatch) -> InsertRows:
    """The insert, waiting 100 ms for a lock in place of ten seconds."""
    monkeypatch.setattr(statements, "LOCK_TIMEOUT_SECONDS", 0.1)
    return InsertRows(user_logins)


@pytest.fixture
def lock(dsn: str) -> Iterator[Connection]:
    """A connection that holds ``user_logins`` until it is closed."""
    with connected(dsn, autocommit=False) as holder:
        run(holder, "LOCK TABLE user_logins")
        yield holder


def away() -> Connection:
    """Fail to connect as to a server that is away."""
    raise DatabaseUnavailableError("postgres: nobody answers")


def test_a_connection_killed_between_writes_is_replaced(dsn: str, insert: InsertRows, database: Connection) -> None:
    retries: list[None] = []
    writer = BatchWriter(
        functools.partial(connect, dsn), insert, 60, threading.Event(), on_retry=lambda: retries.append(None)
    )
    writer.write([row(1)])
    killed = rows_of(
        database,
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE application_name = 'maskline' AND datname = current_database()",
    )

    outcome = writer.write([row(2)])
    writer.close()

    assert killed == [(True,)]
    assert outcome.inserted == {message_id(2)}
    assert len(retries) == 1
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


def test_one_connection_serves_all_writes(dsn: str, insert: InsertRows) -> None:
    opened: list[Connection] = []

    def counted() -> Connection:
        opened.append(connect(dsn))
        return opened[-1]

    writer = BatchWriter(counted, insert, 0, threading.Event())
    for number in range(3):
        writer.write([row(number), row(number + 10, user_id="x" * 129)])
    writer.close()

    assert len(opened) == 1
    assert opened[0].closed


def test_a_lock_is_waited_out(
    dsn: str, insert: InsertRows, lock: Connection, database: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    retried = threading.Event()
    outcomes: list[set[str]] = []
    writer = BatchWriter(functools.partial(connect, dsn), insert, 60, threading.Event(), on_retry=retried.set)
    writing = threading.Thread(target=lambda: outcomes.append(writer.write([row(1)]).inserted))

    with caplog.at_level(logging.WARNING, "maskline"):
        writing.start()
        assert retried.wait(30)
        lock.rollback()
        writing.join()
    writer.close()

    assert outcomes == [{message_id(1)}]
    assert value_of(database, "SELECT count(*) FROM user_logins") == 1
    assert caplog.messages[0] == "writing failed, trying again: postgres: 55P03 lock_not_available"


def test_it_gives_up_when_retrying_took_long_enough_and_nothing_is_committed(
    dsn: str, insert: InsertRows, lock: Connection, database: Connection
) -> None:
    retries: list[None] = []
    writer = BatchWriter(
        functools.partial(connect, dsn), insert, 3, threading.Event(), on_retry=lambda: retries.append(None)
    )

    with pytest.raises(DatabaseUnavailableError, match="55P03 lock_not_available"):
        writer.write([row(1), row(2)])
    writer.close()
    lock.rollback()

    assert len(retries) > 0
    assert value_of(database, "SELECT count(*) FROM user_logins") == 0


def test_without_patience_it_tries_once(insert: InsertRows) -> None:
    retries: list[None] = []
    writer: BatchWriter[MaskedRow] = BatchWriter(
        away, insert, 0, threading.Event(), on_retry=lambda: retries.append(None)
    )

    with pytest.raises(DatabaseUnavailableError, match="nobody answers"):
        writer.write([row(1)])

    assert retries == []


def test_retrying_ends_when_the_job_is_stopped(insert: InsertRows) -> None:
    stopping, retried = threading.Event(), threading.Event()
    errors: list[Exception] = []
    writer: BatchWriter[MaskedRow] = BatchWriter(away, insert, 39_600, stopping, on_retry=retried.set)

    def write() -> None:
        try:
            writer.write([row(1)])
        except DatabaseUnavailableError as error:
            errors.append(error)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    assert retried.wait(30)
    stopping.set()
    await_until(lambda: not writing.is_alive(), "the writer gave up", seconds=10)

    assert [str(error) for error in errors] == ["postgres: nobody answers"]


def test_the_same_call_may_be_made_again_after_it_failed(
    dsn: str, insert: InsertRows, lock: Connection, database: Connection
) -> None:
    writer = BatchWriter(functools.partial(connect, dsn), insert, 0, threading.Event())
    with pytest.raises(DatabaseUnavailableError):
        writer.write([row(1), row(2)])
    lock.rollback()

    outcome = writer.write([row(1), row(2)])
    writer.close()

    assert outcome.inserted == {message_id(1), message_id(2)}
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


@pytest.mark.parametrize(
    ("statement", "inserted"),
    [("BEGIN", {message_id(1), message_id(2)}), ("INSERT INTO", {message_id(1), message_id(2)}), ("COMMIT", set())],
)
def test_a_connection_lost_at_any_statement_is_repeated_without_a_second_row(
    dsn: str,
    insert: InsertRows,
    database: Connection,
    statement: str,
    inserted: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run_statement = psycopg.Cursor.execute
    lost = threading.Event()

    def lose_the_answer(cursor: Cursor, query: Any, *arguments: Any, **options: Any) -> Cursor:
        run_statement(cursor, query, *arguments, **options)
        text = query if isinstance(query, str) else query.as_string()
        if not lost.is_set() and (text.endswith(statement) or f"{statement}; " in text or f"{statement} " in text):
            lost.set()
            run(database, "SELECT pg_terminate_backend(%s, 10000)", [cursor.connection.info.backend_pid])
            run_statement(cursor, "SELECT 1")
        return cursor

    monkeypatch.setattr(psycopg.Cursor, "execute", lose_the_answer)
    writer = BatchWriter(functools.partial(connect, dsn), insert, 60, threading.Event())

    outcome = writer.write([row(1), row(2)])
    writer.close()

    assert lost.is_set()
    assert len(outcome.committed) == 2
    assert (outcome.inserted, outcome.duplicates) == (inserted, 2 - len(inserted))
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


def test_a_statement_that_failed_leaves_a_connection_on_which_the_next_one_works(
    dsn: str, insert: InsertRows, database: Connection
) -> None:
    connections: list[Connection] = []

    def counting() -> Connection:
        connections.append(connect(dsn))
        return connections[-1]

    writer = BatchWriter(counting, insert, 0, threading.Event())

    outcome = writer.write([row(1), row(2, user_id="x" * 129), row(3)])
    state = connections[0].info.transaction_status
    writer.close()

    assert outcome.inserted == {message_id(1), message_id(3)}
    assert (len(connections), state) == (1, TransactionStatus.IDLE)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("DROP TABLE user_logins", 'relation "user_logins" does not exist'),
        ("ALTER TABLE user_logins DROP COLUMN locale", 'column "locale" of relation "user_logins" does not exist'),
        ("DROP TABLE maskline_outcomes", 'relation "maskline_outcomes" does not exist'),
        ("DROP FUNCTION maskline_guard(bigint, bigint, bigint[])", "maskline_guard"),
    ],
)
def test_a_table_that_is_not_as_needed_stops_the_job_at_once(
    dsn: str, insert: InsertRows, database: Connection, damage: str, message: str
) -> None:
    retries: list[None] = []
    writer = BatchWriter(
        functools.partial(connect, dsn), insert, 39_600, threading.Event(), on_retry=lambda: retries.append(None)
    )
    run(database, damage)
    started = time.monotonic()

    with pytest.raises(DatabaseError, match=message):
        writer.write([row(1), row(2)])
    writer.close()

    assert retries == []
    assert time.monotonic() - started < 10
