"""What stands in the way of the job is named before the first message is taken, all of it at once."""

from __future__ import annotations

import pytest

from maskline.errors import Remedy
from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.postgres.connection import Connection
from maskline.postgres.table_check import check_tables
from maskline.streams.definition import JOB_COLUMNS, StreamDefinition, load_stream, parse_stream
from tests.maskline.postgres.records import connected, run


def problems(connection: Connection, stream: StreamDefinition) -> list[str]:
    return check_tables(connection, stream).problems


def warnings(connection: Connection, stream: StreamDefinition) -> list[str]:
    return check_tables(connection, stream).warnings


def test_a_migrated_database_has_no_problem(database: Connection, user_logins: StreamDefinition) -> None:
    assert problems(database, user_logins) == []


def test_the_permissions_of_maskline_writer_are_enough(dsn: str, user_logins: StreamDefinition) -> None:
    with connected(dsn, role="maskline_writer") as writer:
        assert problems(writer, user_logins) == []


def test_a_database_that_was_never_migrated_is_told_the_remedy(
    unmigrated_dsn: str, user_logins: StreamDefinition
) -> None:
    with connected(unmigrated_dsn) as connection:
        found = problems(connection, user_logins)

    assert found == [
        "table maskline_outcomes and table rejected_messages and function maskline_guard and function"
        " maskline_empty_old_outcomes not found; migrate the database, or grant USAGE on its schema",
    ]


def test_a_stream_without_its_table_is_told_the_command(database: Connection) -> None:
    found = problems(database, load_stream("tests/e2e/orders.toml"))

    assert found == ["table orders does not exist, or this role has no USAGE on its schema"]


def test_the_samples_own_table_is_made_by_migrate(database: Connection, user_logins: StreamDefinition) -> None:
    run(database, "DROP TABLE user_logins")

    report = check_tables(database, user_logins)

    assert report.remedies == {
        "table user_logins does not exist, or this role has no USAGE on its schema": Remedy.CREATE_MIGRATED_TABLE
    }


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "ALTER TABLE user_logins ADD COLUMN region text NOT NULL",
            "column user_logins.region is NOT NULL without a default, and the stream does not fill it;"
            " give it a default",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN locale",
            "table user_logins has no column locale varchar(32); add it",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN sent_at",
            "table user_logins has no column sent_at timestamptz; add it",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN processed_at",
            "table user_logins has no column processed_at timestamptz; add it",
        ),
        (
            "ALTER TABLE user_logins ALTER COLUMN app_version TYPE integer USING 0",
            "column user_logins.app_version is integer, the stream needs varchar(32)",
        ),
        (
            "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE varchar(255)",
            "column user_logins.masked_ip is varchar(255), the stream needs varchar(256)",
        ),
        (
            "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE char(256)",
            "column user_logins.masked_ip is char(256), the stream needs varchar(256)",
        ),
        (
            "ALTER TABLE user_logins ALTER COLUMN sent_at TYPE timestamp",
            "column user_logins.sent_at is timestamp without time zone, the stream needs timestamptz",
        ),
        (
            "ALTER TABLE user_logins ALTER COLUMN message_id TYPE text",
            "column user_logins.message_id is text, the stream needs uuid",
        ),
        (
            "ALTER TABLE user_logins ALTER COLUMN key_id TYPE integer",
            "column user_logins.key_id is integer, the stream needs bigint",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN locale;"
            " ALTER TABLE user_logins ADD COLUMN locale varchar(32) GENERATED ALWAYS AS ('RU') STORED",
            "column user_logins.locale is a generated column, which takes no value; take it out of the stream",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN key_id;"
            " ALTER TABLE user_logins ADD COLUMN key_id bigint GENERATED ALWAYS AS IDENTITY",
            "column user_logins.key_id is an identity column that is always generated, which takes no value; take it"
            " out of the stream",
        ),
        (
            "CREATE DOMAIN filled AS text NOT NULL; ALTER TABLE user_logins ADD COLUMN region filled",
            "column user_logins.region is NOT NULL without a default, and the stream does not fill it;"
            " give it a default",
        ),
        (
            "ALTER TABLE user_logins SET UNLOGGED",
            "table user_logins is UNLOGGED, so a crash of the server empties it; run: ALTER TABLE"
            " user_logins SET LOGGED",
        ),
        (
            "ALTER TABLE maskline_outcomes_07 SET UNLOGGED",
            "table maskline_outcomes_07 is UNLOGGED, so a crash of the server empties it; run: ALTER TABLE"
            " maskline_outcomes_07 SET LOGGED",
        ),
        (
            "CREATE TABLE user_logins_2026 () INHERITS (user_logins)",
            "table user_logins has tables that inherit from it, where rows could end that nobody counts; partition it,"
            " or give the stream a table of its own",
        ),
        (
            "CREATE RULE nothing AS ON INSERT TO user_logins DO INSTEAD NOTHING",
            "rule nothing of user_logins answers in its place; drop it, or use a trigger",
        ),
    ],
)
def test_what_is_missing_or_too_narrow_is_named(
    database: Connection, user_logins: StreamDefinition, change: str, problem: str
) -> None:
    run(database, change)

    assert problems(database, user_logins) == [problem]


def test_a_database_that_cannot_hold_every_text_is_warned_of(
    postgres: EmbeddedPostgres, administrator: Connection, user_logins: StreamDefinition
) -> None:
    run(administrator, "CREATE DATABASE of_latin1 TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    with connected(postgres.dsn("of_latin1")) as connection:
        found = warnings(connection, user_logins)
    run(administrator, "DROP DATABASE of_latin1")

    assert found == [
        "the database's encoding is LATIN1, not UTF8: a message with a text that it cannot hold is rejected"
    ]


def test_a_partition_in_another_server_is_a_problem(database: Connection, user_logins: StreamDefinition) -> None:
    run(
        database,
        """
        CREATE FOREIGN DATA WRAPPER nowhere;
        CREATE SERVER elsewhere FOREIGN DATA WRAPPER nowhere;
        CREATE SCHEMA shop;
        CREATE TABLE shop.logins (LIKE user_logins INCLUDING DEFAULTS) PARTITION BY RANGE (create_date);
        CREATE FOREIGN TABLE shop.old PARTITION OF shop.logins FOR VALUES FROM ('2020-01-01') TO ('2021-01-01')
            SERVER elsewhere
        """,
    )
    elsewhere = StreamDefinition(user_logins.name, "shop.logins", user_logins.columns)

    found = problems(database, elsewhere)
    run(database, "DROP FOREIGN TABLE shop.old")

    assert found == [
        "partition shop.old of shop.logins is in another server, which commits by itself, so that a row there could be "
        "lost or come twice; detach it, and move its rows by a job of their own"
    ]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE varchar(257)",
        "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE varchar",
        "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE text",
        "ALTER TABLE user_logins ADD COLUMN comment text",
        "ALTER TABLE user_logins ADD COLUMN gone text; ALTER TABLE user_logins DROP COLUMN gone",
        "CREATE DOMAIN locale AS varchar(32) CHECK (VALUE <> ''); ALTER TABLE user_logins ALTER locale TYPE locale",
        "ALTER TABLE user_logins ADD PRIMARY KEY (message_id)",
    ],
)
def test_a_table_that_takes_more_is_no_problem(
    database: Connection, user_logins: StreamDefinition, change: str
) -> None:
    run(database, change)

    assert problems(database, user_logins) == []


def test_all_problems_are_named_at_once(database: Connection, user_logins: StreamDefinition) -> None:
    run(database, "ALTER TABLE user_logins DROP COLUMN message_id, DROP COLUMN locale, DROP COLUMN key_id")

    assert problems(database, user_logins) == [
        "table user_logins has no column locale varchar(32); add it",
        "table user_logins has no column message_id uuid; add it",
        "table user_logins has no column key_id bigint; add it",
    ]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            "REVOKE INSERT ON maskline_outcomes FROM maskline_writer",
            ["this role may not insert into maskline_outcomes and read its message_id; grant it maskline_writer"],
        ),
        (
            "REVOKE INSERT ON rejected_messages FROM maskline_writer",
            ["this role may not insert into rejected_messages and read its message_id; grant it maskline_writer"],
        ),
        (
            "REVOKE INSERT ON user_logins FROM maskline_writer;"
            " GRANT INSERT (user_id, device_type, masked_ip, masked_device_id, app_version, create_date, message_id,"
            " sent_at, key_id) ON user_logins TO maskline_writer",
            ["this role may not insert into user_logins.locale; grant it maskline_writer"],
        ),
    ],
)
def test_a_missing_right_is_named(
    dsn: str, database: Connection, user_logins: StreamDefinition, change: str, expected: list[str]
) -> None:
    run(database, change)

    with connected(dsn, role="maskline_writer") as writer:
        assert problems(writer, user_logins) == expected


def test_a_role_with_none_of_the_permissions_is_told_so(dsn: str, user_logins: StreamDefinition) -> None:
    with connected(dsn, role="maskline_auditor") as auditor:
        found = problems(auditor, user_logins)

    assert "this role may not insert into user_logins.user_id; grant it maskline_writer" in found
    assert found[:2] == [
        "this role may not insert into maskline_outcomes and read its message_id; grant it maskline_writer",
        "this role may not insert into rejected_messages and read its message_id; grant it maskline_writer",
    ]


def test_triggers_on_insert_are_named_and_stop_nothing(database: Connection, user_logins: StreamDefinition) -> None:
    run(
        database,
        """
        CREATE FUNCTION drop_it() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER before BEFORE INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION drop_it();
        CREATE TRIGGER after AFTER INSERT ON user_logins FOR EACH ROW EXECUTE FUNCTION drop_it();
        CREATE TRIGGER updates BEFORE UPDATE ON user_logins FOR EACH ROW EXECUTE FUNCTION drop_it()
        """,
    )

    assert problems(database, user_logins) == []
    assert warnings(database, user_logins) == [
        "trigger after of user_logins acts on rows just written",
        "trigger before of user_logins can change or swallow rows (those it swallows are rejected)",
    ]


def test_a_view_is_no_table(database: Connection, user_logins: StreamDefinition) -> None:
    run(database, "ALTER TABLE user_logins RENAME TO elsewhere; CREATE VIEW user_logins AS SELECT * FROM elsewhere")

    assert problems(database, user_logins) == ["user_logins is not a table; name the table that its rows go to"]


@pytest.mark.parametrize(
    ("declared", "found"),
    [("numeric(38)", "numeric(38)"), ("numeric(38, 10)", "numeric(38,10)"), ("numeric", "numeric")],
)
def test_a_number_is_as_wide_in_the_stream_as_in_the_catalog(database: Connection, declared: str, found: str) -> None:
    stream = parse_stream(f'name = "s"\ntable = "payments"\n[columns.amount]\ntype = "{declared}"\n', origin="test")
    job_columns = ", ".join(f"{name} {declaration}" for name, declaration in JOB_COLUMNS.items())
    run(database, f"CREATE TABLE payments (amount {found}, {job_columns})")

    assert problems(database, stream) == []
