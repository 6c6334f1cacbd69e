"""Jobs of before and after the ledger on one database: each message keeps one outcome, and nothing is lost."""

from __future__ import annotations

import functools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from maskline.postgres.connection import Connection, connect
from maskline.postgres.revision import NEWEST_REVISION
from maskline.postgres.schema import Schema
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Rejection
from maskline.streams.definition import StreamDefinition
from tests.maskline.postgres.older_job import write_rejections, write_rows
from tests.maskline.postgres.records import connected, message_id, rejection, row, rows_of, run, value_of

NOW = datetime.now(UTC).replace(microsecond=0)
GATED = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'maskline_gate' ORDER BY 1"
OUTCOMES = """
    SELECT message_id::text, count(*)
    FROM (SELECT message_id FROM user_logins UNION ALL SELECT message_id FROM rejected_messages) AS outcomes
    GROUP BY 1 ORDER BY 1
"""
OLDER_ORDERS = """
    CREATE TABLE orders (
        order_number bigint, create_date date NOT NULL, message_id uuid PRIMARY KEY, sent_at timestamptz NOT NULL,
        processed_at timestamptz NOT NULL DEFAULT now(), key_id bigint NOT NULL
    )
"""


def schema(dsn: str) -> Schema:
    """Return the schema of a database."""
    return Schema(functools.partial(connect, dsn))


def rows(*numbers: int, days_ago: float = 0) -> list[MaskedRow]:
    """Return the rows of numbered messages."""
    return [row(number, sent_at=NOW - timedelta(days=days_ago)) for number in numbers]


def rejections(*numbers: int, days_ago: float = 0) -> list[Rejection]:
    """Return the rejections of numbered messages."""
    return [rejection(number, sent_at=NOW - timedelta(days=days_ago)) for number in numbers]


@pytest.fixture
def older_dsn(unmigrated_dsn: str) -> str:
    """A database as version 0.1.0 left it."""
    schema(unmigrated_dsn).migrate("0009")
    return unmigrated_dsn


@pytest.fixture
def older(older_dsn: str) -> Iterator[Connection]:
    """A connection of an older job to it."""
    with connected(older_dsn) as connection:
        yield connection


def new_rows(dsn: str, stream: StreamDefinition) -> BatchWriter[MaskedRow]:
    """Return a writer of rows of this version."""
    return BatchWriter(functools.partial(connect, dsn), InsertRows(stream), 60, threading.Event())


def new_rejections(dsn: str) -> BatchWriter[Rejection]:
    """Return a writer of rejections of this version."""
    return BatchWriter(functools.partial(connect, dsn), InsertRejections(), 60, threading.Event())


def test_a_database_in_use_is_led_to_where_both_run_and_in_a_second_run_further(
    older_dsn: str, older: Connection
) -> None:
    write_rows(older, rows(1))

    moves = [schema(older_dsn).migrate("0011"), schema(older_dsn).migrate()]

    assert moves == [("0009", "0010"), ("0010", NEWEST_REVISION)]


def test_a_database_with_a_rejection_alone_is_in_use(older_dsn: str, older: Connection) -> None:
    write_rejections(older, rejections(1))

    assert schema(older_dsn).plan().waits_for_older_jobs
    assert schema(older_dsn).migrate() == ("0009", "0010")


def test_a_database_that_no_job_wrote_to_goes_all_the_way(older_dsn: str, older: Connection) -> None:
    run(older, "INSERT INTO user_logins (user_id) VALUES ('the owner''s')")

    assert not schema(older_dsn).plan().waits_for_older_jobs
    assert schema(older_dsn).migrate() == ("0009", NEWEST_REVISION)


@pytest.mark.parametrize("revision", ["0010", "0011", "0015"])
def test_what_an_older_job_wrote_and_did_not_delete_makes_no_second_outcome(
    older_dsn: str, older: Connection, user_logins: StreamDefinition, revision: str
) -> None:
    write_rows(older, rows(1))
    write_rows(older, rows(2, days_ago=14.9))
    write_rejections(older, rejections(3, days_ago=14.9))
    schema(older_dsn).migrate("0010")
    schema(older_dsn).migrate(revision)

    as_rows = new_rows(older_dsn, user_logins).write([*rows(1), *rows(2, 3, days_ago=14.9)])
    as_rejections = new_rejections(older_dsn).write([*rejections(1), *rejections(2, 3, days_ago=14.9)])

    assert (as_rows.inserted, as_rejections.inserted) == (set(), set())
    assert (as_rows.rejected, as_rejections.rejected) == ([], [])
    assert [count for _, count in rows_of(older, OUTCOMES)] == [1, 1, 1]


def test_rows_and_rejections_of_both_versions_are_one_outcome_each(
    older_dsn: str, older: Connection, user_logins: StreamDefinition
) -> None:
    schema(older_dsn).migrate("0010")
    write_rows(older, rows(1))
    write_rejections(older, rejections(2))
    new_rows(older_dsn, user_logins).write(rows(3))
    new_rejections(older_dsn).write(rejections(4))

    everything = [1, 2, 3, 4]
    again = [
        write_rows(older, rows(*everything)),
        write_rejections(older, rejections(*everything)),
        new_rows(older_dsn, user_logins).write(rows(*everything)).inserted,
        new_rejections(older_dsn).write(rejections(*everything)).inserted,
    ]

    assert again == [set(), set(), set(), set()]
    assert rows_of(older, OUTCOMES) == [(message_id(number), 1) for number in everything]
    assert value_of(older, "SELECT count(*) FROM maskline_outcomes") == 4


def test_old_and_new_jobs_side_by_side_give_each_message_one_outcome(
    older_dsn: str, older: Connection, user_logins: StreamDefinition
) -> None:
    schema(older_dsn).migrate("0010")
    failures: list[BaseException] = []

    def write_all(write: Callable[[list[int]], object], seed: int) -> None:
        numbers = list(range(400))
        random.Random(seed).shuffle(numbers)
        try:
            for first in range(0, len(numbers), 20):
                _until_no_deadlock(write, numbers[first : first + 20])
        except BaseException as error:
            failures.append(error)

    with connected(older_dsn) as one, connected(older_dsn) as two, connected(older_dsn) as three:
        writers: Sequence[Callable[[list[int]], object]] = [
            lambda numbers: write_rows(one, rows(*numbers)),
            lambda numbers: write_rows(two, rows(*numbers)),
            lambda numbers: write_rejections(three, rejections(*numbers)),
            lambda numbers, writer=new_rows(older_dsn, user_logins): writer.write(rows(*numbers)),  # type: ignore[misc]
            lambda numbers, writer=new_rows(older_dsn, user_logins): writer.write(rows(*numbers)),  # type: ignore[misc]
            lambda numbers, writer=new_rejections(older_dsn): writer.write(rejections(*numbers)),  # type: ignore[misc]
        ]
        threads = [threading.Thread(target=write_all, args=item) for item in zip(writers, range(6), strict=True)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert failures == []
    assert rows_of(older, OUTCOMES) == [(message_id(number), 1) for number in range(400)]
    assert value_of(older, "SELECT count(*) FROM user_logins") > 0
    assert value_of(older, "SELECT count(*) FROM rejected_messages") > 0


def _until_no_deadlock(write: Callable[[list[int]], object], numbers: list[int]) -> None:
    """Write as a job does, which tries again after a deadlock."""
    for _ in range(100):
        try:
            write(numbers)
        except psycopg.errors.DeadlockDetected:
            continue
        return
    raise AssertionError("a deadlock a hundred times")


def test_after_the_contract_an_older_job_stops_and_nothing_is_lost_or_doubled(
    older_dsn: str, older: Connection, user_logins: StreamDefinition
) -> None:
    write_rows(older, rows(1))
    schema(older_dsn).migrate()
    schema(older_dsn).migrate()

    with pytest.raises(psycopg.errors.InvalidColumnReference):
        write_rows(older, rows(1, 2))
    written = write_rejections(older, rejections(3))
    outcome = new_rows(older_dsn, user_logins).write(rows(1, 2, 3))

    assert written == {message_id(3)}
    assert outcome.inserted == {message_id(2)}
    assert rows_of(older, OUTCOMES) == [(message_id(1), 1), (message_id(2), 1), (message_id(3), 1)]


def test_a_gate_stays_where_an_older_job_can_still_write(older_dsn: str, older: Connection) -> None:
    run(older, OLDER_ORDERS)
    write_rejections(older, rejections(1))

    schema(older_dsn).migrate()
    gated = rows_of(older, GATED)
    schema(older_dsn).migrate()

    assert gated == [("orders",), ("rejected_messages",), ("user_logins",)]
    assert rows_of(older, GATED) == [("orders",), ("rejected_messages",)]
    run(
        older,
        "SELECT pg_advisory_xact_lock_shared(7881707728092622437);"
        " INSERT INTO orders (order_number, create_date, message_id, sent_at, key_id) VALUES (1, now(), %s, now(), 1)",
        [message_id(7)],
    )
    assert (message_id(7),) in rows_of(older, "SELECT message_id::text FROM maskline_outcomes")


@pytest.mark.parametrize("kind", ["LIKE user_logins INCLUDING ALL", "LIKE user_logins INCLUDING DEFAULTS"])
def test_rows_that_are_moved_or_restored_are_all_there(older_dsn: str, older: Connection, kind: str) -> None:
    run(older, f"CREATE TABLE archive ({kind})")
    write_rows(older, rows(1, 2, 3))
    schema(older_dsn).migrate("0010")

    run(older, "WITH moved AS (DELETE FROM user_logins RETURNING *) INSERT INTO archive SELECT * FROM moved")
    run(older, "WITH moved AS (DELETE FROM archive RETURNING *) INSERT INTO user_logins SELECT * FROM moved")

    assert value_of(older, "SELECT count(*) FROM user_logins") == 3


def test_the_way_back_to_where_both_run_brings_index_and_gates(
    older_dsn: str, older: Connection, user_logins: StreamDefinition
) -> None:
    write_rows(older, rows(1))
    schema(older_dsn).migrate()
    schema(older_dsn).migrate()
    new_rows(older_dsn, user_logins).write(rows(2))

    assert schema(older_dsn).migrate("0010") == (NEWEST_REVISION, "0010")

    assert rows_of(older, GATED) == [("rejected_messages",), ("user_logins",)]
    assert write_rows(older, rows(1, 2, 3)) == {message_id(3)}
    assert new_rows(older_dsn, user_logins).write(rows(1, 2, 3)).inserted == set()


def test_after_a_rollback_the_older_job_works_and_doubles_nothing(
    older_dsn: str, older: Connection, user_logins: StreamDefinition
) -> None:
    write_rows(older, rows(1))
    schema(older_dsn).migrate()
    schema(older_dsn).migrate()
    new_rows(older_dsn, user_logins).write(rows(1, 2))
    new_rejections(older_dsn).write(rejections(2, 3))

    assert schema(older_dsn).migrate("0009") == (NEWEST_REVISION, "0009")
    written = write_rows(older, rows(1, 2, 3, 4)), write_rejections(older, rejections(1, 2, 3, 5))
    schema(older_dsn).migrate()
    again = new_rows(older_dsn, user_logins).write(rows(1, 2, 3, 4, 5)).inserted

    assert written == ({message_id(4)}, {message_id(5)})
    assert again == set()
    assert rows_of(older, OUTCOMES) == [(message_id(number), 1) for number in (1, 2, 3, 4, 5)]
