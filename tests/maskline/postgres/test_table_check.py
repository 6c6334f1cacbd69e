"""What stands in the way of the job is named before the first message is taken, all of it at once."""

from __future__ import annotations

import pytest

from maskline.errors import DatabaseError, Remedy
from maskline.postgres.connection import Connection
from maskline.postgres.table_check import table_problems
from maskline.streams.definition import StreamDefinition, load_stream
from tests.maskline.postgres.records import connected, run


def test_a_migrated_database_has_no_problem(database: Connection, user_logins: StreamDefinition) -> None:
    assert table_problems(database, user_logins) == []


def test_the_permissions_of_maskline_writer_are_enough(dsn: str, user_logins: StreamDefinition) -> None:
    with connected(dsn, role="maskline_writer") as writer:
        assert table_problems(writer, user_logins) == []


def test_a_database_that_was_never_migrated_is_told_the_remedy(
    unmigrated_dsn: str, user_logins: StreamDefinition
) -> None:
    with connected(unmigrated_dsn) as connection, pytest.raises(DatabaseError) as rejection:
        table_problems(connection, user_logins)

    assert str(rejection.value) == "postgres: table rejected_messages does not exist"
    assert rejection.value.remedy is Remedy.MIGRATE


def test_a_stream_without_its_table_is_told_the_remedy(database: Connection) -> None:
    with pytest.raises(DatabaseError) as rejection:
        table_problems(database, load_stream("tests/e2e/orders.toml"))

    assert str(rejection.value) == "postgres: table orders does not exist"
    assert rejection.value.remedy is Remedy.CREATE_TABLE


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (
            "ALTER TABLE user_logins ADD COLUMN region text NOT NULL",
            "column user_logins.region is NOT NULL without a default, and the stream does not fill it",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN locale",
            "table user_logins has no column locale varchar(32)",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN sent_at",
            "table user_logins has no column sent_at timestamptz",
        ),
        (
            "ALTER TABLE user_logins DROP COLUMN processed_at",
            "table user_logins has no column processed_at timestamptz",
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
            "column user_logins.masked_ip is character(256), the stream needs varchar(256)",
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
            "DROP INDEX user_logins_message_id",
            "table user_logins has no unique index on message_id, so redelivered messages would double",
        ),
    ],
)
def test_what_is_missing_or_too_narrow_is_named(
    database: Connection, user_logins: StreamDefinition, change: str, problem: str
) -> None:
    run(database, change)

    assert table_problems(database, user_logins) == [problem]


@pytest.mark.parametrize(
    "index",
    [
        "CREATE INDEX replacement ON user_logins (message_id)",
        "CREATE UNIQUE INDEX replacement ON user_logins (message_id, sent_at)",
        "CREATE UNIQUE INDEX replacement ON user_logins (message_id) WHERE locale IS NOT NULL",
        "CREATE UNIQUE INDEX replacement ON user_logins ((message_id::text))",
        "CREATE UNIQUE INDEX replacement ON user_logins (user_id)",
    ],
)
def test_an_index_that_does_not_keep_messages_apart_does_not_count(
    database: Connection, user_logins: StreamDefinition, index: str
) -> None:
    run(database, f"DROP INDEX user_logins_message_id; {index}")

    assert table_problems(database, user_logins) == [
        "table user_logins has no unique index on message_id, so redelivered messages would double"
    ]


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE varchar(257)",
        "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE varchar",
        "ALTER TABLE user_logins ALTER COLUMN masked_ip TYPE text",
        "ALTER TABLE user_logins ADD COLUMN comment text",
        "ALTER TABLE user_logins ADD COLUMN gone text; ALTER TABLE user_logins DROP COLUMN gone",
        "DROP INDEX user_logins_message_id; ALTER TABLE user_logins ADD PRIMARY KEY (message_id)",
        "DROP INDEX user_logins_message_id; CREATE UNIQUE INDEX i ON user_logins (message_id) INCLUDE (locale)",
    ],
)
def test_a_table_that_takes_more_is_no_problem(
    database: Connection, user_logins: StreamDefinition, change: str
) -> None:
    run(database, change)

    assert table_problems(database, user_logins) == []


def test_all_problems_are_named_at_once(database: Connection, user_logins: StreamDefinition) -> None:
    run(database, "ALTER TABLE user_logins DROP COLUMN message_id, DROP COLUMN locale, DROP COLUMN key_id")

    assert table_problems(database, user_logins) == [
        "table user_logins has no column locale varchar(32)",
        "table user_logins has no column message_id uuid",
        "table user_logins has no column key_id bigint",
    ]


@pytest.mark.parametrize(
    ("change", "problems"),
    [
        (
            "REVOKE SELECT (message_id) ON user_logins FROM maskline_writer",
            ["this role may not insert into user_logins and read its message_id; grant it maskline_writer"],
        ),
        (
            "REVOKE INSERT ON rejected_messages FROM maskline_writer",
            ["this role may not insert into rejected_messages and read its message_id; grant it maskline_writer"],
        ),
        (
            "REVOKE INSERT ON user_logins FROM maskline_writer;"
            " GRANT INSERT (user_id, device_type, masked_ip, masked_device_id, app_version, create_date, message_id,"
            " sent_at, key_id) ON user_logins TO maskline_writer",
            ["this role may not insert into user_logins.locale"],
        ),
    ],
)
def test_a_missing_right_is_named(
    dsn: str, database: Connection, user_logins: StreamDefinition, change: str, problems: list[str]
) -> None:
    run(database, change)

    with connected(dsn, role="maskline_writer") as writer:
        assert table_problems(writer, user_logins) == problems


def test_a_role_with_none_of_the_permissions_is_told_so(dsn: str, user_logins: StreamDefinition) -> None:
    with connected(dsn, role="maskline_auditor") as auditor:
        problems = table_problems(auditor, user_logins)

    assert "this role may not insert into user_logins.user_id" in problems
    assert problems[-2:] == [
        "this role may not insert into user_logins and read its message_id; grant it maskline_writer",
        "this role may not insert into rejected_messages and read its message_id; grant it maskline_writer",
    ]
