"""How many rows carry which key: of every table that the job writes, and never of fewer."""

from __future__ import annotations

import pytest

from maskline.errors import DatabaseError, Remedy
from maskline.postgres.connection import Connection
from maskline.postgres.ddl import create_table
from maskline.postgres.key_usage import KeyUsage, key_usage
from maskline.streams.definition import load_stream
from tests.maskline.postgres.records import connected, message_id, run

NOTHING = [KeyUsage("rejected_messages", {}), KeyUsage("user_logins", {})]


def test_rows_of_every_stream_and_rejections_are_counted_by_key(database: Connection) -> None:
    run(database, create_table(load_stream("tests/e2e/orders.toml")))
    run(
        database,
        "INSERT INTO user_logins (message_id, key_id) VALUES (%s, 7), (%s, 7), (%s, 8), (NULL, NULL)",
        [message_id(1), message_id(2), message_id(3)],
    )
    run(
        database,
        "INSERT INTO rejected_messages (message_id, stream, reason, detail, sent_at, receive_count, key_id, body)"
        " VALUES (%s, 's', 'r', 'd', now(), 1, 4294967295, '')",
        [message_id(4)],
    )

    assert key_usage(database) == [
        KeyUsage("orders", {}),
        KeyUsage("rejected_messages", {4_294_967_295: 1}),
        KeyUsage("user_logins", {7: 2, 8: 1, None: 1}),
    ]


def test_a_table_of_another_program_does_not_count(database: Connection) -> None:
    run(database, "CREATE TABLE others (key_id bigint, message_id text)")
    run(database, "INSERT INTO others VALUES (7, 'x')")

    assert key_usage(database) == NOTHING


def test_rows_of_partitions_are_counted_once(database: Connection) -> None:
    run(
        database,
        "CREATE TABLE parted (message_id uuid, key_id bigint) PARTITION BY RANGE (key_id);"
        "CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (10);"
        "CREATE TABLE high PARTITION OF parted FOR VALUES FROM (10) TO (20);"
        "INSERT INTO parted (key_id) VALUES (5), (15)",
    )

    assert key_usage(database) == [KeyUsage("parted", {5: 1, 15: 1}), *NOTHING]


def test_a_table_in_another_schema_counts(database: Connection) -> None:
    run(database, "CREATE SCHEMA aside; CREATE TABLE aside.orders (message_id uuid, key_id bigint)")
    run(database, "INSERT INTO aside.orders (key_id) VALUES (7)")

    assert key_usage(database) == [KeyUsage("aside.orders", {7: 1}), *NOTHING]


def test_a_database_that_is_not_the_jobs_is_refused_and_not_counted_as_empty(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection, pytest.raises(DatabaseError) as rejection:
        key_usage(connection)

    assert str(rejection.value) == (
        "postgres: table rejected_messages is not there, or has no key_id, so no row can be counted; is this the job's "
        "database?"
    )
    assert rejection.value.remedy is Remedy.MIGRATE


def test_one_table_is_counted_alone_and_only_where_its_name_leads(database: Connection) -> None:
    run(database, "CREATE SCHEMA aside; CREATE TABLE aside.orders (message_id uuid, key_id bigint)")

    assert key_usage(database, only="user_logins") == [KeyUsage("user_logins", {})]
    with pytest.raises(DatabaseError, match="table orders is not there"):
        key_usage(database, only="orders")


def test_the_remasker_may_count(dsn: str) -> None:
    with connected(dsn, role="maskline_remasker") as remasker:
        assert key_usage(remasker) == NOTHING


@pytest.mark.parametrize("role", ["maskline_writer", "maskline_analyst"])
def test_who_may_not_see_all_tables_is_given_no_count_at_all(dsn: str, role: str) -> None:
    with connected(dsn, role=role) as connection, pytest.raises(DatabaseError, match="permission denied"):
        key_usage(connection)
