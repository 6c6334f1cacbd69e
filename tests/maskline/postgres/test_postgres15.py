"""Migrating and writing on an older server than the embedded one."""

from __future__ import annotations

import functools
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from maskline.pipeline.local.postgres import OWNERS_TABLE
from maskline.postgres.connection import connect
from maskline.postgres.revision import NEWEST_REVISION
from maskline.postgres.schema import Schema
from maskline.postgres.server_version import problems_of_version, server_version_problems
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.streams.definition import StreamDefinition
from tests.conftest import run_sql
from tests.debian_postgres import DebianPostgres
from tests.maskline.postgres.older_job import write_rows
from tests.maskline.postgres.records import connected, message_id, rejection, row, rows_of, run, value_of
from tests.maskline.postgres.test_schema_online import CHECKSUM, FILL, LARGE

NOW = datetime.now(UTC)


@pytest.fixture
def dsn15(postgres15: DebianPostgres) -> Iterator[str]:
    """A database of the test's own with the owner's table."""
    name = f"test_{uuid.uuid4().hex}"
    run_sql(postgres15.dsn("postgres"), f"CREATE DATABASE {name}")
    run_sql(postgres15.dsn(name), OWNERS_TABLE)
    yield postgres15.dsn(name)
    run_sql(postgres15.dsn("postgres"), f"DROP DATABASE {name} WITH (FORCE)")


def test_a_large_table_is_migrated_there_and_back_on_15(dsn15: str) -> None:
    schema = Schema(functools.partial(connect, dsn15))
    with connected(dsn15) as connection:
        run(connection, FILL.format(rows=LARGE))
        run(connection, "ALTER TABLE user_logins ALTER COLUMN app_version SET NOT NULL")
        before = rows_of(connection, CHECKSUM)
        file = value_of(connection, "SELECT pg_relation_filenode('user_logins')")

        moved = schema.migrate()
        after = rows_of(connection, CHECKSUM)
        file_after = value_of(connection, "SELECT pg_relation_filenode('user_logins')")
        back = schema.migrate("base")

        assert value_of(connection, "SHOW server_version").startswith("15.")
        assert (moved, back) == ((None, NEWEST_REVISION), (NEWEST_REVISION, None))
        assert after == before
        assert file_after == file
        assert rows_of(connection, CHECKSUM) == before


def test_old_and_new_jobs_give_each_message_one_outcome_on_15(dsn15: str, user_logins: StreamDefinition) -> None:
    schema = Schema(functools.partial(connect, dsn15))
    schema.migrate("0009")
    opened = functools.partial(connect, dsn15)
    rows = BatchWriter(opened, InsertRows(user_logins), 10, threading.Event())
    rejections = BatchWriter(opened, InsertRejections(), 10, threading.Event())
    numbers = range(1, 6)
    with connected(dsn15) as older:
        write_rows(older, [row(1, sent_at=NOW)])
        schema.migrate()
        write_rows(older, [row(2, sent_at=NOW)])

        rejected = rejections.write([rejection(number, sent_at=NOW) for number in numbers[:3]])
        written = rows.write([row(number, sent_at=NOW) for number in numbers])
        again = write_rows(older, [row(number, sent_at=NOW) for number in numbers])
        schema.migrate()
        redelivered = rows.write([row(number, sent_at=NOW) for number in numbers])

        assert rejected.inserted == {message_id(3)}
        assert written.inserted == {message_id(4), message_id(5)}
        assert (again, redelivered.inserted) == (set(), set())
        assert value_of(older, "SELECT count(*) FROM user_logins") == 4
    rows.close()
    rejections.close()


def test_a_server_of_today_is_new_enough(dsn: str) -> None:
    with connected(dsn) as connection:
        assert server_version_problems(connection) == []


@pytest.mark.parametrize(
    ("version", "problems"),
    [
        (130000, []),
        (120017, ["the server is PostgreSQL 12.17, and maskline needs 13 or newer"]),
        (90624, ["the server is PostgreSQL 9.6.24, and maskline needs 13 or newer"]),
    ],
)
def test_an_old_server_is_named(version: int, problems: list[str]) -> None:
    assert problems_of_version(version) == problems
