"""The database knows its keys: what is masked under one that it does not let be used is not written, whoever writes."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator

import psycopg
import pytest

from maskline.errors import DatabaseError, DatabaseUnavailableError, KeysetError
from maskline.keys import Keyset, open_keyset
from maskline.postgres import key_registry
from maskline.postgres.connection import Connection, connect
from maskline.postgres.key_registry import (
    DESTROYED,
    DISABLED,
    ENABLED,
    KeyUse,
    known_keys,
    recent_writers,
    set_key_state,
)
from maskline.postgres.ledger import WRITES_LEDGER
from maskline.postgres.remask import Remasker
from maskline.postgres.remask_statements import rejections_table, stream_table
from maskline.postgres.schema import Schema
from maskline.postgres.statements import InsertRejections, InsertRows, InsertRowsOfStreams
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Rejection
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from tests.awaiting import await_until
from tests.maskline.keysets import OTHER_KEY, aes_siv_key, opened, stored
from tests.maskline.logins import login
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.older_job import write_rows
from tests.maskline.postgres.records import (
    connected,
    rejection,
    row,
    rows_of,
    run,
    run_insert,
    value_of,
    waiting_for_a_lock,
)

KEY = 4_000_000_001
REFUSED = (
    "keyset: key 4000000001 is {} in this database, so nothing is written under it, and the messages stay in the "
    "queue; start the job with a keyset whose primary key is enabled there"
)


def row_writer(dsn: str, stream: StreamDefinition) -> BatchWriter[MaskedRow]:
    """Return a writer of rows that gives up at once."""
    return BatchWriter(functools.partial(connect, dsn), InsertRows(stream), 0, threading.Event())


def rejection_writer(dsn: str) -> BatchWriter[Rejection]:
    """Return a writer of rejections that gives up at once."""
    return BatchWriter(functools.partial(connect, dsn), InsertRejections(), 0, threading.Event())


def outcomes(connection: Connection) -> tuple[int, ...]:
    """Return how many rows, rejections and entries of the ledger there are."""
    return tuple(
        value_of(connection, f"SELECT count(*) FROM {table}")
        for table in ("user_logins", "rejected_messages", "maskline_outcomes")
    )


@pytest.fixture
def operator(dsn: str) -> Iterator[Connection]:
    """A connection with the permissions of whoever rotates keys."""
    with connected(dsn, role="maskline_remasker", autocommit=False) as connection:
        connection.commit()  # the role stays, the transaction ends
        yield connection


def test_a_key_is_entered_before_its_first_row_and_its_job_named(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition
) -> None:
    row_writer(dsn, user_logins).write([row(1)])

    assert rows_of(database, "SELECT key_id, state, last_written > now() - interval '1 minute' FROM maskline_keys") == [
        (KEY, "enabled", True)
    ]
    (writer,) = recent_writers(operator, KEY, seconds=3600)
    assert re.fullmatch(r"user_logins from \S+:\d+ as postgres", writer.job)


@pytest.mark.parametrize("state", [DISABLED, DESTROYED])
def test_nothing_is_written_under_a_key_that_is_not_enabled(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition, state: str
) -> None:
    rows, rejections = row_writer(dsn, user_logins), rejection_writer(dsn)
    set_key_state(operator, KEY, state)

    for write in (lambda: rows.write([row(1), row(2)]), lambda: rejections.write([rejection(3)])):
        with pytest.raises(KeysetError) as refused:
            write()
        assert str(refused.value) == REFUSED.format(state)

    assert outcomes(database) == (0, 0, 0)


def test_the_statement_itself_refuses_what_was_disabled_since_the_job_last_asked(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition
) -> None:
    rows, rejections = row_writer(dsn, user_logins), rejection_writer(dsn)
    rows.write([row(1)])
    rejections.write([rejection(2)])
    set_key_state(operator, KEY, DISABLED)

    for write in (lambda: rows.write([row(3), row(4)]), lambda: rejections.write([rejection(5)])):
        with pytest.raises(KeysetError) as refused:
            write()
        assert str(refused.value) == REFUSED.format("not enabled")

    assert outcomes(database) == (1, 1, 2)


def test_it_refuses_rows_of_several_streams_too(dsn: str, database: Connection, operator: Connection) -> None:
    streams = [
        parse_stream(f'name = "{name}"\ntable = "{name}"\n[columns.a]\ntype = "text"\nclear = true\n', origin="test")
        for name in ("one", "two")
    ]
    for stream in streams:
        run(
            database,
            f"CREATE TABLE {stream.name} (a text, create_date date, message_id uuid, sent_at timestamptz,"
            " key_id bigint)",
        )
    parts = [
        MaskedRow(each.receipt, each.sent_at, 1, KEY, ("a",), b"", stream=name)
        for name, each in (("one", row(1)), ("two", row(2)))
    ]
    writer = BatchWriter(functools.partial(connect, dsn), InsertRowsOfStreams(streams), 0, threading.Event())
    writer.write(parts)
    set_key_state(operator, KEY, DISABLED)

    with pytest.raises(KeysetError, match="key 4000000001 is not enabled"):
        writer.write(
            [
                MaskedRow(each.receipt, each.sent_at, 1, KEY, ("a",), b"", stream=name)
                for name, each in (("one", row(3)), ("two", row(4)))
            ]
        )

    assert value_of(database, "SELECT (SELECT count(*) FROM one) + (SELECT count(*) FROM two)") == 2


def test_a_key_that_is_enabled_again_writes_again(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition
) -> None:
    writer = row_writer(dsn, user_logins)
    set_key_state(operator, KEY, DISABLED)
    with pytest.raises(KeysetError):
        writer.write([row(1)])

    set_key_state(operator, KEY, ENABLED)
    writer.write([row(1)])

    assert outcomes(database) == (1, 0, 1)


def test_disabling_waits_for_the_statement_that_may_still_write(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition
) -> None:
    statement = InsertRows(user_logins)
    with connected(dsn, autocommit=False) as writer:
        KeyUse("test").enter(writer, [KEY])
        writer.commit()
        run_insert(writer, statement, [row(1)])

        disabling = threading.Thread(target=set_key_state, args=(operator, KEY, DISABLED))
        disabling.start()
        await_until(lambda: waiting_for_a_lock(database), "it waits")
        writer.commit()
        disabling.join(timeout=30)

    assert [key.state for key in known_keys(database)] == [DISABLED]
    assert outcomes(database) == (1, 0, 1)


def test_disabling_gives_up_where_a_statement_does_not_end_and_the_key_stays_as_it_was(
    dsn: str, database: Connection, operator: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_registry, "LOCK_WAIT_SECONDS", 0.1)
    set_key_state(operator, KEY, ENABLED)
    with connected(dsn, autocommit=False) as writer:
        value_of(writer, "SELECT count(*) FROM maskline_keys")

        with pytest.raises(DatabaseUnavailableError):
            set_key_state(operator, KEY, DISABLED)

    assert [key.state for key in known_keys(database)] == [ENABLED]


def test_a_key_is_disabled_whatever_kind_of_transaction_the_login_begins(
    database: Connection, operator: Connection
) -> None:
    run(operator, "SET default_transaction_isolation = serializable; SET default_transaction_read_only = on")
    operator.commit()

    set_key_state(operator, KEY, DISABLED)

    assert [key.state for key in known_keys(database)] == [DISABLED]


def test_no_row_appears_under_a_key_once_it_is_disabled_however_many_write(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition
) -> None:
    numbers = iter(range(1_000_000))
    stopping = threading.Event()

    def rows() -> int:
        return int(value_of(database, "SELECT count(*) FROM user_logins"))

    def write() -> None:
        writer = row_writer(dsn, user_logins)
        while not stopping.is_set():
            try:
                writer.write([row(next(numbers)) for _ in range(5)])
            except KeysetError:
                continue

    writers = [threading.Thread(target=write) for _ in range(3)]
    for writer in writers:
        writer.start()
    grown = []
    try:
        for _ in range(10):
            set_key_state(operator, KEY, ENABLED)
            before = rows()
            await_until(lambda before=before: rows() > before, "rows are written")  # type: ignore[misc]
            set_key_state(operator, KEY, DISABLED)
            counts = [rows() for _ in range(10)]
            grown.append(counts[-1] - counts[0])
    finally:
        stopping.set()
        for writer in writers:
            writer.join(timeout=30)

    assert grown == [0] * 10


def test_a_job_of_the_ledger_alone_is_refused_once_a_key_is_not_enabled(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition
) -> None:
    statement = InsertRows(user_logins)
    statement.query = statement.query_without_keys
    run_insert(database, statement, [row(1)])
    set_key_state(operator, 7, DISABLED)

    with pytest.raises(psycopg.Error) as refused:
        run_insert(database, statement, [row(2)])

    assert refused.value.sqlstate == "57000"  # which such a job retries, and then stops
    assert outcomes(database) == (1, 0, 1)


def test_a_job_of_the_ledger_alone_is_refused_a_key_that_was_disabled_while_its_statement_waited(
    dsn: str, database: Connection, operator: Connection, user_logins: StreamDefinition
) -> None:
    statement = InsertRows(user_logins)
    statement.query = statement.query_without_keys
    refusals = []

    def write() -> None:
        with connected(dsn) as older, pytest.raises(psycopg.Error) as refused:
            run_insert(older, statement, [row(1)])
        refusals.append(refused.value.sqlstate)

    with connected(dsn, autocommit=False) as blocker:
        receipt = row(1).receipt
        entry = "INSERT INTO maskline_outcomes (message_id, sent_at) VALUES (%s, %s)"
        run(blocker, entry, [receipt.message_id, row(1).sent_at])
        writing = threading.Thread(target=write)
        writing.start()
        await_until(lambda: waiting_for_a_lock(database), "it waits")
        set_key_state(operator, 7, DISABLED)
        blocker.rollback()
        writing.join(timeout=30)

    assert refusals == ["57000"]
    assert outcomes(database) == (0, 0, 0)


def test_a_job_before_the_ledger_is_refused_the_key_and_no_other(unmigrated_dsn: str) -> None:
    schema = Schema(functools.partial(connect, unmigrated_dsn))
    schema.migrate("0010")
    schema.migrate("0012")
    with connected(unmigrated_dsn) as connection:
        run(connection, "CREATE UNIQUE INDEX ON user_logins (message_id)")
        run(
            connection,
            "CREATE TRIGGER maskline_gate BEFORE INSERT ON user_logins FOR EACH ROW WHEN"
            f" (current_setting('{WRITES_LEDGER}', true) IS DISTINCT FROM 'on') EXECUTE FUNCTION maskline_gate()",
        )
        run(connection, "INSERT INTO maskline_keys (key_id, state) VALUES (7, 'disabled')")
        write_rows(connection, [row(1)])
        run(connection, "UPDATE maskline_keys SET key_id = %s", [KEY])

        with pytest.raises(psycopg.Error) as refused:
            write_rows(connection, [row(2)])

    assert refused.value.sqlstate == "57000"


def test_a_job_runs_on_a_schema_that_does_not_know_its_keys_yet(
    unmigrated_dsn: str, user_logins: StreamDefinition
) -> None:
    schema = Schema(functools.partial(connect, unmigrated_dsn))
    schema.migrate("0011")
    writer = row_writer(unmigrated_dsn, user_logins)
    writer.write([row(1)])

    schema.migrate()
    writer.write([row(2)])

    with connected(unmigrated_dsn) as connection:
        assert value_of(connection, "SELECT count(*) FROM user_logins") == 2
        assert [(key.key_id, key.state) for key in known_keys(connection)] == [(KEY, ENABLED)]


def test_the_keys_of_older_rows_are_entered_by_the_migration_the_newest_last(
    unmigrated_dsn: str, user_logins: StreamDefinition
) -> None:
    schema = Schema(functools.partial(connect, unmigrated_dsn))
    schema.migrate("0011")
    with connected(unmigrated_dsn) as connection:
        run(
            connection,
            "INSERT INTO user_logins (message_id, sent_at, key_id) VALUES"
            " (gen_random_uuid(), '2026-01-03Z', 7), (gen_random_uuid(), '2026-01-05Z', 8),"
            " (gen_random_uuid(), '2026-01-01Z', 8), (gen_random_uuid(), '2026-01-02Z', 7), (NULL, NULL, NULL)",
        )

        schema.migrate()

        assert [(key.key_id, key.state, f"{key.first_seen:%d}") for key in known_keys(connection)] == [
            (7, ENABLED, "03"),
            (8, ENABLED, "05"),
        ]


def test_the_schema_does_not_go_back_to_where_a_disabled_key_would_be_written_under(
    dsn: str, operator: Connection
) -> None:
    set_key_state(operator, KEY, DISABLED)

    with pytest.raises(DatabaseError) as refused:
        Schema(functools.partial(connect, dsn)).migrate("0011")

    assert str(refused.value) == (
        "postgres: key 4000000001 is disabled, and before this revision nothing keeps a job from writing under it. To "
        "go back all the same, remove these keys from maskline_key_writers and maskline_keys."
    )


def test_a_schema_that_does_not_know_its_keys_says_so_to_whoever_disables_one(unmigrated_dsn: str) -> None:
    Schema(functools.partial(connect, unmigrated_dsn)).migrate("0011")
    with connected(unmigrated_dsn, autocommit=False) as connection:
        with pytest.raises(DatabaseError, match="does not know its keys yet"):
            set_key_state(connection, KEY, DISABLED)

        assert known_keys(connection) == []


def test_remask_writes_nothing_under_a_primary_that_is_not_enabled(
    dsn: str, operator: Connection, keyset: Keyset
) -> None:
    set_key_state(operator, keyset.primary_key_id, DISABLED)
    remasker = Remasker(functools.partial(connect, dsn), rejections_table(keyset), keyset, threading.Event(), 0)
    rejection_writer(dsn).write([rejection(1)])

    with pytest.raises(KeysetError, match=f"key {keyset.primary_key_id} is disabled"):
        list(remasker.run())


def test_remask_stops_at_a_primary_that_is_disabled_while_it_runs(
    dsn: str, database: Connection, operator: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("maskline.postgres.remask.MAX_ROWS", 1)
    write_masked(dsn, opened(7), [login(), login()])
    rotated = open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8))
    table = stream_table(load_stream("user_logins"), rotated)
    steps = Remasker(functools.partial(connect, dsn), table, rotated, threading.Event(), 0).run()
    assert next(steps).remasked == 1
    set_key_state(operator, 8, DISABLED)

    with pytest.raises(KeysetError, match="key 8 is disabled"):
        next(steps)

    assert rows_of(database, "SELECT key_id FROM user_logins ORDER BY 1") == [(7,), (8,)]


def test_a_job_can_enter_keys_and_change_none(dsn: str, operator: Connection) -> None:
    set_key_state(operator, KEY, DISABLED)
    with connected(dsn, role="maskline_writer") as job:
        with pytest.raises(KeysetError, match="is disabled"):
            KeyUse("test").enter(job, [KEY])
        for forbidden in (
            "UPDATE maskline_keys SET state = 'enabled'",
            "DELETE FROM maskline_keys",
            "INSERT INTO maskline_keys (key_id) VALUES (1)",
            "TRUNCATE maskline_keys CASCADE",
            "LOCK TABLE maskline_keys IN ACCESS EXCLUSIVE MODE",
            "SELECT * FROM maskline_key_writers",
            "UPDATE maskline_columns SET domain = ''",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run(job, f"BEGIN; {forbidden}; COMMIT")
            run(job, "ROLLBACK")


@pytest.mark.parametrize("role", ["maskline_analyst", "maskline_auditor", "maskline_eraser", "maskline_publisher"])
def test_who_is_no_job_enters_neither_keys_nor_columns(dsn: str, role: str) -> None:
    with connected(dsn, role=role) as connection:
        for entering in (
            "SELECT * FROM maskline_use_keys('{1}', 'a job')",
            "SELECT maskline_use_column('s', 't', 'c', 'd', 'deterministic', NULL, NULL)",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                run(connection, entering)
