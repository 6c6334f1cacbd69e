"""Every record of a micro-batch ends as committed or rejected, whoever wrote it before."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal

import msgspec
import pytest

from maskline.errors import UsageError
from maskline.postgres.connection import Connection, connect
from maskline.postgres.ddl import create_table
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.table_check import check_tables
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Rejection
from maskline.streams.definition import StreamDefinition, parse_stream
from tests.maskline.postgres.records import message_id, rejection, row, rows_of, run, value_of

TOO_LONG = "x" * 129


@pytest.fixture
def writer(dsn: str, user_logins: StreamDefinition) -> Iterator[BatchWriter[MaskedRow]]:
    """Writes rows, with no patience."""
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(user_logins), 0, threading.Event())
    yield writer
    writer.close()


@pytest.fixture
def rejection_writer(dsn: str, user_logins: StreamDefinition) -> Iterator[BatchWriter[Rejection]]:
    """Writes rejections, with no patience."""
    writer = BatchWriter(functools.partial(connect, dsn), InsertRejections(), 0, threading.Event())
    yield writer
    writer.close()


def writer_connect(dsn: str) -> Callable[[], Connection]:
    """Return what connects with the permissions of ``maskline_writer`` and no others."""

    def connect_as_writer() -> Connection:
        connection = connect(dsn)
        run(connection, "SET ROLE maskline_writer")
        connection.commit()
        return connection

    return connect_as_writer


def test_rows_are_committed_when_the_call_returns(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    rows = [row(1), row(2), row(3)]

    outcome = writer.write(rows)

    assert outcome.committed == rows
    assert outcome.inserted == {
        "6f9619ff-8b86-4011-b42d-000000000001",
        "6f9619ff-8b86-4011-b42d-000000000002",
        "6f9619ff-8b86-4011-b42d-000000000003",
    }
    assert (outcome.rejected, outcome.duplicates) == ([], 0)
    assert outcome.commit_seconds > 0
    assert value_of(database, "SELECT count(*) FROM user_logins") == 3


def test_nothing_is_asked_of_the_database_for_no_rows(user_logins: StreamDefinition) -> None:
    def unexpected() -> Connection:
        raise AssertionError("it connected")

    outcome = BatchWriter(unexpected, InsertRows(user_logins), 0, threading.Event()).write([])

    assert (outcome.committed, outcome.inserted, outcome.rejected) == ([], set(), [])


def test_a_message_delivered_again_makes_no_second_row(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    writer.write([row(1, locale="RU"), row(2)])

    outcome = writer.write([row(1, locale="DE"), row(2), row(3)])

    assert [committed.receipt.message_id for committed in outcome.committed] == [message_id(n) for n in (1, 2, 3)]
    assert outcome.inserted == {"6f9619ff-8b86-4011-b42d-000000000003"}
    assert outcome.duplicates == 2
    assert value_of(database, "SELECT count(*) FROM user_logins") == 3
    assert value_of(database, "SELECT locale FROM user_logins WHERE message_id = %s", [message_id(1)]) == "RU"


def test_a_message_twice_in_one_micro_batch_makes_one_row(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    outcome = writer.write([row(1), row(2), row(1)])

    assert len(outcome.committed) == 3
    assert len(outcome.inserted) == 2
    assert outcome.duplicates == 1
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


def test_two_writers_of_the_same_messages_make_one_row_each(
    dsn: str, user_logins: StreamDefinition, database: Connection
) -> None:
    rows = [row(number) for number in range(200)]
    inserted: list[int] = []

    def write() -> None:
        writer = BatchWriter(functools.partial(connect, dsn), InsertRows(user_logins), 60, threading.Event())
        for start in range(0, 200, 20):
            inserted.append(len(writer.write(rows[start : start + 20]).inserted))
        writer.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(inserted) == 40
    assert sum(inserted) == 200
    assert value_of(database, "SELECT count(*) FROM user_logins") == 200


def test_one_bad_row_among_500_is_refused_and_the_others_are_committed(
    writer: BatchWriter[MaskedRow], database: Connection
) -> None:
    rows = [row(number, user_id=TOO_LONG if number == 317 else "user") for number in range(500)]

    outcome = writer.write(rows)

    assert [rejection.record for rejection in outcome.rejected] == [rows[317]]
    assert outcome.rejected[0].detail == "22001 string_data_right_truncation"
    assert len(outcome.committed) == 499
    assert rows[317] not in outcome.committed
    assert len(outcome.inserted) == 499
    assert value_of(database, "SELECT count(*) FROM user_logins WHERE user_id = 'user'") == 499


@pytest.mark.parametrize("bad", [{0}, {6}, {2, 3}, {0, 1, 2, 3, 4, 5}])
def test_every_bad_row_is_refused_wherever_it_stands(
    writer: BatchWriter[MaskedRow], database: Connection, bad: set[int]
) -> None:
    rows = [row(number, user_id=TOO_LONG if number in bad else "user") for number in range(7)]

    outcome = writer.write(rows)

    assert {rejection.record.receipt.message_id for rejection in outcome.rejected} == {message_id(n) for n in bad}
    assert len(outcome.rejected) == len(bad)
    assert len(outcome.committed) == 7 - len(bad)
    assert value_of(database, "SELECT count(*) FROM user_logins") == 7 - len(bad)


@pytest.mark.parametrize("text", ["a\0b", "\ud800"])
def test_text_that_cannot_be_stored_is_the_rows_fault(
    writer: BatchWriter[MaskedRow], database: Connection, text: str
) -> None:
    outcome = writer.write([row(1), row(2, user_id=text), row(3)])

    assert [rejection.record for rejection in outcome.rejected] == [row(2, user_id=text)]
    assert outcome.rejected[0].detail == "a text that Postgres cannot store (NUL or a lone surrogate)"
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2


def test_a_constraint_of_the_owners_is_the_rows_fault(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    run(database, "ALTER TABLE user_logins ADD CONSTRAINT known_device CHECK (device_type <> 'toaster')")

    outcome = writer.write([row(1), row(2, device_type="toaster")])

    assert [rejection.detail for rejection in outcome.rejected] == [
        "23514 check_violation, table user_logins, constraint known_device"
    ]
    assert [committed.receipt.message_id for committed in outcome.committed] == [message_id(1)]


def test_a_message_rejected_before_never_becomes_a_row(
    writer: BatchWriter[MaskedRow], rejection_writer: BatchWriter[Rejection], database: Connection
) -> None:
    rejection_writer.write([rejection(1)])

    outcome = writer.write([row(1), row(2)])

    assert [committed.receipt.message_id for committed in outcome.committed] == [message_id(1), message_id(2)]
    assert (outcome.inserted, outcome.duplicates) == ({message_id(2)}, 1)
    assert rows_of(database, "SELECT message_id FROM user_logins") == [(message_id(2),)]


def test_a_message_written_before_never_becomes_a_rejection(
    writer: BatchWriter[MaskedRow], rejection_writer: BatchWriter[Rejection], database: Connection
) -> None:
    writer.write([row(1)])

    outcome = rejection_writer.write([rejection(1), rejection(2)])

    assert [committed.receipt.message_id for committed in outcome.committed] == [message_id(1), message_id(2)]
    assert (outcome.inserted, outcome.duplicates) == ({message_id(2)}, 1)
    assert rows_of(database, "SELECT message_id FROM rejected_messages") == [(message_id(2),)]


def test_the_permissions_of_maskline_writer_are_enough(
    dsn: str, user_logins: StreamDefinition, database: Connection
) -> None:
    rows = BatchWriter(writer_connect(dsn), InsertRows(user_logins), 0, threading.Event())
    rejections = BatchWriter(writer_connect(dsn), InsertRejections(), 0, threading.Event())

    first = rows.write([row(1), row(2, user_id=TOO_LONG), row(3)])
    again = rows.write([row(1), row(3)])
    refused = rejections.write([rejection(2), rejection(1)])
    rows.close()
    rejections.close()

    assert (len(first.committed), len(first.rejected)) == (2, 1)
    assert again.duplicates == 2
    assert refused.inserted == {message_id(2)}
    assert value_of(database, "SELECT count(*) FROM user_logins") == 2
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 1


LESS_DURABLE = """
CREATE TABLE levels (level text);
CREATE FUNCTION lower_it() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN SET LOCAL synchronous_commit = off; SET CONSTRAINTS ALL DEFERRED; RETURN NEW; END';
CREATE TRIGGER lower_it BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION lower_it();
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO levels VALUES (current_setting('synchronous_commit')); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER note_it AFTER INSERT ON user_logins DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION note_it()
"""


def test_a_commit_is_durable_whatever_a_trigger_has_set(writer: BatchWriter[MaskedRow], database: Connection) -> None:
    run(database, LESS_DURABLE)

    assert len(writer.write([row(1)]).inserted) == 1

    assert rows_of(database, "SELECT level FROM levels") == [("on",)]


SUMS = """
name = "sums"
table = "sums"
[columns.note]
type = "text"
clear = true
[columns.amount]
type = "numeric(8, 2)"
nullable = true
"""


@pytest.mark.parametrize(
    "setting",
    [
        "array_nulls = off",
        "client_min_messages = debug5",
        "quote_all_identifiers = on",
        "standard_conforming_strings = off",
    ],
)
def test_rows_arrive_as_they_are_whatever_the_database_prefers(dsn: str, database: Connection, setting: str) -> None:
    stream = parse_stream(SUMS, origin="test")
    run(database, create_table(stream))
    run(database, f"ALTER DATABASE {value_of(database, 'SELECT current_database()')} SET {setting}")
    rows = [
        msgspec.structs.replace(row(number), values=values)
        for number, values in enumerate([("NULL", None), ("a\\b'c\"", Decimal("1.5"))])
    ]
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(stream), 0, threading.Event())

    with contextlib.closing(writer), contextlib.closing(connect(dsn)) as connection:
        assert check_tables(connection, stream).problems == []
        assert len(writer.write(rows).inserted) == 2

    assert rows_of(database, "SELECT note, amount FROM sums ORDER BY 2 NULLS FIRST") == [
        ("NULL", None),
        ("a\\b'c\"", Decimal("1.5")),
    ]


@pytest.mark.parametrize("seconds", [-1, 39_601, float("inf"), float("nan")])
def test_retrying_for_longer_than_sqs_waits_is_refused(seconds: float, user_logins: StreamDefinition) -> None:
    with pytest.raises(UsageError, match="it must be from 0 to 39600"):
        BatchWriter(functools.partial(connect, ""), InsertRows(user_logins), seconds, threading.Event())


def test_nothing_is_prepared_for_a_pooler_may_lend_the_next_transaction_another_session(
    dsn: str, user_logins: StreamDefinition
) -> None:
    connection = connect(dsn)
    writer = BatchWriter(lambda: connection, InsertRows(user_logins), 0, threading.Event())

    for number in range(10):  # psycopg's own would be after five
        writer.write([row(number)])

    assert value_of(connection, "SELECT count(*) FROM pg_prepared_statements") == 0
    writer.close()
