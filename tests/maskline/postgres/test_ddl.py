"""The printed table of a second stream is one that the job can write to."""

from __future__ import annotations

import functools
import threading
from datetime import UTC, date, datetime
from decimal import Decimal

import msgspec
import psycopg
import pytest

from maskline.postgres.connection import Connection, connect
from maskline.postgres.ddl import create_table
from maskline.postgres.schema import Schema
from maskline.postgres.statements import InsertRows
from maskline.postgres.table_check import check_tables
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Receipt
from maskline.streams.definition import StreamDefinition, load_stream, parse_stream
from tests.maskline.postgres.records import connected, message_id, rows_of, run

SENT_AT = datetime(2023, 11, 5, 12, 30, tzinfo=UTC)

ORDERS_DDL = """\
CREATE TABLE "orders" (
    "order_number" bigint NOT NULL,
    "masked_email" varchar(400) NOT NULL,
    "total" numeric(12, 2) NOT NULL,
    "is_gift" boolean,
    "ordered_at" timestamptz NOT NULL,
    "deliver_on" date,
    "note" text,
    "create_date" date NOT NULL,
    "message_id" uuid NOT NULL,
    "sent_at" timestamptz NOT NULL,
    "processed_at" timestamptz NOT NULL DEFAULT now(),
    "key_id" bigint NOT NULL,
    "written_in" xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT "masked_email_is_masked" CHECK ("key_id" IS NULL OR "masked_email" ~ '^A[Q-Za-f]' \
AND length("masked_email") >= 28)
);
CREATE INDEX ON "orders" ("written_in");
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['maskline_writer', 'maskline_analyst', 'maskline_publisher', 'maskline_remasker', \
'maskline_eraser'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END $$;
GRANT INSERT, SELECT ("message_id") ON "orders" TO maskline_writer;
GRANT SELECT ON "orders" TO maskline_analyst, maskline_publisher;
GRANT SELECT ("tableoid", "ctid", "message_id", "key_id", "masked_email"), UPDATE ("key_id", "masked_email") \
ON "orders" TO maskline_remasker;
"""


@pytest.fixture
def orders() -> StreamDefinition:
    """A second stream, with every type there is."""
    return load_stream("tests/e2e/orders.toml")


def test_the_table_of_a_stream_is_printed_whole(orders: StreamDefinition) -> None:
    assert create_table(orders) == ORDERS_DDL


def test_the_inspection_finds_no_problem_in_what_was_printed(
    dsn: str, database: Connection, orders: StreamDefinition
) -> None:
    run(database, create_table(orders))

    with connected(dsn, role="maskline_writer") as writer:
        assert check_tables(writer, orders).problems == []
    assert check_tables(database, orders).problems == []


def test_the_writer_writes_to_what_was_printed(dsn: str, database: Connection, orders: StreamDefinition) -> None:
    run(database, create_table(orders))
    values = (
        7,
        "AQAAAAE-email-of-somebody-else",
        Decimal("19.90"),
        None,
        SENT_AT,
        date(2023, 12, 24),
        "it's 100% \\ {a}",
    )
    order = MaskedRow(Receipt(message_id(1), "handle"), SENT_AT, 1, 9, values, b"")
    without = MaskedRow(Receipt(message_id(2), "handle"), SENT_AT, 1, 9, (None, *values[1:]), b"")
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(orders), 0, threading.Event())

    outcome = writer.write([order, order, without])
    writer.close()

    assert outcome.inserted == {message_id(1)}
    assert [rejection.detail for rejection in outcome.rejected] == [
        "23502 not_null_violation, table orders, column order_number"
    ]
    columns = "order_number, masked_email, total, is_gift, ordered_at, deliver_on, note, create_date, key_id"
    assert rows_of(database, f"SELECT {columns} FROM orders") == [
        (
            7,
            "AQAAAAE-email-of-somebody-else",
            Decimal("19.90"),
            None,
            SENT_AT,
            date(2023, 12, 24),
            "it's 100% \\ {a}",
            date(2023, 11, 5),
            9,
        )
    ]


def test_a_numeric_without_a_scale_is_what_the_catalog_calls_it(database: Connection) -> None:
    stream = parse_stream('name = "n"\ntable = "n"\n[columns.amount]\ntype = "numeric(38)"\n', origin="test")

    run(database, create_table(stream))

    assert [problem for problem in check_tables(database, stream).problems if "amount" in problem] == []


def test_the_table_of_a_stream_may_be_in_a_schema_and_the_roles_may_use_it(
    dsn: str, database: Connection, orders: StreamDefinition
) -> None:
    run(database, "CREATE SCHEMA shop")
    in_shop = msgspec.structs.replace(orders, table="shop.orders")

    run(database, create_table(in_shop))

    for role in ("maskline_analyst", "maskline_publisher"):
        with connected(dsn, role=role) as somebody:
            assert rows_of(somebody, "SELECT * FROM shop.orders") == []
    with connected(dsn, role="maskline_writer") as writer:
        assert rows_of(writer, "SELECT message_id FROM shop.orders") == []


def test_whoever_erases_a_person_may_find_and_delete_their_rows(dsn: str, database: Connection) -> None:
    stream = parse_stream(
        'name = "visits"\ntable = "visits"\n[columns.visitor]\nfield = "user_id"\ntype = "text"\nclear = true\n',
        origin="test",
    )
    run(database, create_table(stream))

    with connected(dsn, role="maskline_eraser") as eraser:
        run(eraser, "DELETE FROM visits WHERE visitor = 'eve'")


def test_names_may_be_words_of_sql(database: Connection) -> None:
    stream = parse_stream(
        'name = "s"\ntable = "user"\n[columns.order]\ntype = "text"\nclear = true\n'
        '[columns.select]\ntype = "text"\nclear = true\n',
        origin="test",
    )

    run(database, create_table(stream))

    assert check_tables(database, stream).problems == []


def test_the_roles_get_their_permissions_on_what_was_printed_and_no_others(
    dsn: str, database: Connection, orders: StreamDefinition
) -> None:
    run(database, create_table(orders))

    with connected(dsn, role="maskline_analyst") as analyst:
        assert rows_of(analyst, "SELECT * FROM orders") == []
    with connected(dsn, role="maskline_writer") as writer, pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(writer, "SELECT masked_email FROM orders")
    with connected(dsn, role="maskline_auditor") as auditor, pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(auditor, "SELECT message_id FROM orders")


KINDS = """
name = "kinds"
table = "kinds"
[columns.token]
type = "text"
mask = "deterministic"
required = false
[columns.salted]
type = "text"
mask = "random"
required = false
[columns.hashed]
type = "char(22)"
mask = "hash"
required = false
[columns.redacted]
type = "text"
mask = "redact"
required = false
[columns.listed]
type = "text[]"
mask = "deterministic"
required = false
[columns.shown]
type = "text"
mask = "truncate:ip/24,48"
required = false
"""
TOKEN = "AQAAAAE" + 21 * "x"
IN_CLEAR = "203.0.113.7"


@pytest.mark.parametrize(
    ("column", "masked", "refused"),
    [
        ("token", TOKEN, [IN_CLEAR, "AQAAAAE", 40 * "x", ""]),
        ("salted", TOKEN + 22 * "x", [IN_CLEAR, TOKEN]),
        ("hashed", 22 * "h", [IN_CLEAR]),
        ("redacted", "[redacted]", [IN_CLEAR, ""]),
        ("listed", [TOKEN, None, TOKEN], [[TOKEN, IN_CLEAR], [IN_CLEAR]]),
        ("listed", [], [["a b"]]),
        ("token", "Afffffff" + 20 * "x", ["Agffffff" + 20 * "x"]),
        ("shown", "203.0.113.0/24", []),
    ],
)
def test_the_table_takes_what_each_mask_makes_and_nothing_in_clear(
    database: Connection, column: str, masked: object, refused: list[object]
) -> None:
    run(database, create_table(parse_stream(KINDS, origin="test")))
    insert = (
        f"INSERT INTO kinds ({column}, create_date, message_id, sent_at, key_id)"
        " VALUES (%s, current_date, gen_random_uuid(), now(), 7)"
    )
    for value in (masked, None):
        run(database, insert, [value])

    for value in refused:
        with pytest.raises(psycopg.errors.CheckViolation) as violation:
            run(database, insert, [value])
        assert violation.value.diag.constraint_name == f"{column}_is_masked"


def test_a_table_that_is_there_takes_nothing_in_clear_from_now_on(dsn: str, database: Connection) -> None:
    run(database, "INSERT INTO user_logins (masked_ip, key_id) VALUES (%s, 7)", [IN_CLEAR])

    made = Schema(functools.partial(connect, dsn)).create_tables([load_stream("user_logins")] * 2)

    assert made == []
    run(database, "INSERT INTO user_logins (masked_ip, key_id) VALUES (%s, 7)", [TOKEN])
    run(database, "INSERT INTO user_logins (masked_ip) VALUES ('masked elsewhere')")
    with pytest.raises(psycopg.errors.CheckViolation):
        run(database, "INSERT INTO user_logins (masked_ip, key_id) VALUES (%s, 7)", [IN_CLEAR])
