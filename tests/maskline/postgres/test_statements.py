"""The statements that the job runs: what they quote, and that what goes in is what comes out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from maskline.postgres.connection import Connection
from maskline.postgres.key_registry import KeyUse
from maskline.postgres.statements import InsertRejections, InsertRows
from maskline.records import MaskedRow, Reason, Receipt
from maskline.streams.definition import StreamDefinition, parse_stream
from tests.maskline.postgres.records import message_id, rejection, row, rows_of, run, run_insert, value_of

ARRAYS = (
    "$1::varchar[], $2::varchar[], $3::varchar[], $4::varchar[], $5::varchar[], $6::varchar[], "
    "$7::date[], $8::uuid[], $9::timestamptz[], $10::bigint[]"
)
COLUMNS = (
    '"user_id", "device_type", "masked_ip", "masked_device_id", "locale", "app_version", '
    '"create_date", "message_id", "sent_at", "key_id"'
)


@pytest.fixture(autouse=True)
def _known_keys(database: Connection) -> None:
    """Enter the keys, as a writer does before it writes."""
    KeyUse("a test").enter(database, [1, 4_000_000_001])


def test_names_are_quoted_and_every_value_is_a_parameter(database: Connection, user_logins: StreamDefinition) -> None:
    statement = InsertRows(user_logins)

    assert statement.before([row(1)]).as_string() == (
        "SET LOCAL TRANSACTION ISOLATION LEVEL READ COMMITTED;"
        " SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '30s';"
        " SET LOCAL client_min_messages = warning; SET LOCAL array_nulls = on; SET CONSTRAINTS ALL IMMEDIATE;"
        " SELECT set_config('synchronous_commit',"
        " CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true),"
        " set_config('maskline.ledger', 'on', true);"
        " SELECT set_config('maskline.used_keys', '{\"4000000001\"}', true); "
    )
    assert statement.query == (
        f"WITH batch AS MATERIALIZED (SELECT {COLUMNS} FROM unnest({ARRAYS}) AS batch ({COLUMNS})),"
        ' fresh AS (INSERT INTO "maskline_outcomes" (message_id, sent_at) SELECT message_id, sent_at FROM batch'
        " ON CONFLICT DO NOTHING RETURNING message_id, sent_at),"
        f' written AS (INSERT INTO "user_logins" ({COLUMNS}) SELECT {COLUMNS} FROM batch'
        " WHERE (message_id IN (SELECT message_id FROM fresh)) IS TRUE RETURNING 1),"
        " entered AS (SELECT count(*) AS messages,"
        " count(*) FILTER (WHERE sent_at NOT BETWEEN now() - '15 days 0:00:00'::interval"
        " AND now() + '1 day 0:00:00'::interval) AS unvouched FROM fresh)"
        " SELECT maskline_guard(messages, (SELECT count(*) FROM written), ARRAY(SELECT key_id FROM"
        " unnest(current_setting('maskline.used_keys')::bigint[]) AS used (key_id) WHERE (key_id IN"
        " (SELECT known.key_id FROM maskline_keys AS known WHERE known.state = 'enabled')) IS NOT TRUE)),"
        " CASE WHEN messages < (SELECT count(*) FROM batch) THEN ARRAY(SELECT message_id FROM fresh)::text[] END,"
        " unvouched, pg_logical_emit_message(true, 'maskline', '') FROM entered"
    )


def test_names_may_be_words_of_sql(database: Connection) -> None:
    stream = parse_stream('name = "s"\ntable = "table"\n[columns.select]\ntype = "text"\nclear = true\n', origin="test")
    run(
        database,
        'CREATE TABLE "table" ("select" text, create_date date, message_id uuid PRIMARY KEY, sent_at timestamptz,'
        " key_id bigint)",
    )
    only = MaskedRow(Receipt(message_id(1), "handle"), datetime(2023, 11, 5, tzinfo=UTC), 1, 1, ("order by",), b"")
    insert = InsertRows(stream)

    run_insert(database, insert, [only])

    assert value_of(database, 'SELECT "select" FROM "table"') == "order by"


@pytest.mark.parametrize(
    "text",
    [
        "it's",
        '"; DROP TABLE user_logins; --',
        "'); DROP TABLE user_logins; --",
        "\\",
        "\\x41",
        "\\'; --",
        "100%",
        "%s",
        "%(name)s",
        "{}",
        "{a,b}",
        '{"a","b"}',
        "ARRAY['a']",
        "NULL",
        "null",
        "",
        " ",
        "a,b",
        "line\nbreak\r\ttab",
        "$1 $$ $tag$",
        "😀 é ش 漢",
        "\u202e\ufeff\u0001\U0010ffff",
    ],
)
def test_text_comes_out_as_it_went_in(database: Connection, user_logins: StreamDefinition, text: str) -> None:
    insert = InsertRows(user_logins)
    rows = [row(1, user_id=text, locale=text), row(2, user_id="beside", locale=None)]

    run_insert(database, insert, rows)

    stored = rows_of(database, "SELECT user_id, locale FROM user_logins ORDER BY message_id")
    assert stored == [(text, text), ("beside", None)]


def test_a_row_is_stored_as_it_was_masked(database: Connection, user_logins: StreamDefinition) -> None:
    insert = InsertRows(user_logins)

    run_insert(database, insert, [row(7)])

    columns = (
        "user_id, device_type, masked_ip, masked_device_id, locale, app_version, create_date, message_id, sent_at, "
        "key_id, processed_at BETWEEN now() - interval '1 minute' AND now()"
    )
    assert rows_of(database, f"SELECT {columns} FROM user_logins") == [
        (
            "424cdd21-063a-43a7-b91b-7ca1a833afae",
            "android",
            "AQAAAAE-ip-198-51-100-7-token",
            "AQAAAAE-device-593-47-1024-token",
            "RU",
            "2.3.0",
            date(2023, 11, 5),
            "6f9619ff-8b86-4011-b42d-000000000007",
            datetime(2023, 11, 5, 12, 30, tzinfo=UTC),
            4_000_000_001,
            True,
        )
    ]


def test_none_stays_null_also_where_a_whole_column_is(database: Connection, user_logins: StreamDefinition) -> None:
    insert = InsertRows(user_logins)
    rows = [row(number, masked_ip=None, locale=None) for number in (1, 2)]

    run_insert(database, insert, rows)

    stored = rows_of(database, "SELECT masked_ip, locale, masked_device_id FROM user_logins")
    assert stored == [
        (None, None, "AQAAAAE-device-593-47-1024-token"),
        (None, None, "AQAAAAE-device-593-47-1024-token"),
    ]


@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_create_date_is_the_utc_date_whatever_the_servers_zone(
    database: Connection, user_logins: StreamDefinition, zone: str
) -> None:
    run(database, f"SET TIME ZONE '{zone}'")
    insert = InsertRows(user_logins)
    rows = [
        row(1, sent_at=datetime(2023, 11, 5, 23, 59, 59, 999_000, tzinfo=UTC)),
        row(2, sent_at=datetime(2023, 11, 6, 0, 0, 0, tzinfo=UTC)),
    ]

    run_insert(database, insert, rows)

    stored = rows_of(database, "SELECT create_date, sent_at AT TIME ZONE 'UTC' FROM user_logins ORDER BY message_id")
    assert stored == [
        (date(2023, 11, 5), datetime(2023, 11, 5, 23, 59, 59, 999_000)),
        (date(2023, 11, 6), datetime(2023, 11, 6, 0, 0, 0)),
    ]


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A worker whose own zone is fourteen hours ahead of UTC."""
    with monkeypatch.context() as environment:
        environment.setenv("TZ", "Pacific/Kiritimati")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_create_date_is_the_utc_date_whatever_the_workers_zone(
    database: Connection, user_logins: StreamDefinition
) -> None:
    insert = InsertRows(user_logins)
    only = row(1, sent_at=datetime(2023, 11, 5, 23, 59, tzinfo=UTC))

    run_insert(database, insert, [only])

    assert value_of(database, "SELECT create_date FROM user_logins") == date(2023, 11, 5)


def test_every_type_of_a_stream_comes_out_as_it_went_in(database: Connection) -> None:
    types = ("bigint", "numeric(12, 2)", "boolean", "timestamptz", "date", "varchar(5)", "integer")
    stream = parse_stream(
        'name = "s"\ntable = "s"\n'
        + "".join(f'[columns.c{n}]\ntype = "{name}"\nclear = true\n' for n, name in enumerate(types)),
        origin="test",
    )
    columns = ", ".join(f"c{n} {name}" for n, name in enumerate(types))
    run(
        database,
        f"CREATE TABLE s ({columns}, create_date date, message_id uuid PRIMARY KEY, sent_at timestamptz,"
        " key_id bigint)",
    )
    ordered_at = datetime(2024, 2, 29, 1, 30, tzinfo=timezone(timedelta(hours=5)))
    values = (2**63 - 1, Decimal("1234567890.12"), False, ordered_at, date(2024, 2, 29), "", -(2**31))
    nulls = (None,) * 7
    sent_at = datetime(2023, 11, 5, tzinfo=UTC)
    insert = InsertRows(stream)
    rows = [
        MaskedRow(Receipt(message_id(1), "a"), sent_at, 1, 1, values, b""),
        MaskedRow(Receipt(message_id(2), "b"), sent_at, 1, 1, nulls, b""),
    ]

    run_insert(database, insert, rows)

    assert rows_of(database, "SELECT c0, c1, c2, c3, c4, c5, c6 FROM s ORDER BY message_id") == [
        (
            9223372036854775807,
            Decimal("1234567890.12"),
            False,
            datetime(2024, 2, 28, 20, 30, tzinfo=UTC),
            date(2024, 2, 29),
            "",
            -2147483648,
        ),
        (None, None, None, None, None, None, None),
    ]


def test_a_rejection_is_stored_with_its_sealed_body_byte_for_byte(
    database: Connection, user_logins: StreamDefinition
) -> None:
    insert = InsertRejections()

    run_insert(database, insert, [rejection(3, reason=Reason.TOO_LONG)])

    columns = "message_id, stream, reason, detail, sent_at, receive_count, key_id, requeued_at, requeued_message_id"
    assert rows_of(database, f"SELECT {columns} FROM rejected_messages") == [
        (
            "6f9619ff-8b86-4011-b42d-000000000003",
            "user_logins",
            "too_long",
            "is not JSON",
            datetime(2023, 11, 5, 12, 30, tzinfo=UTC),
            3,
            4_000_000_001,
            None,
            None,
        )
    ]
    assert bytes(value_of(database, "SELECT body FROM rejected_messages")) == b"\x00\x01'\\sealed"
