"""What migrating does to rows that are there: none is lost, and what would lose one refuses."""

from __future__ import annotations

import functools

import psycopg
import pytest

from maskline.errors import DatabaseError
from maskline.postgres.connection import Connection, connect
from maskline.postgres.revision import NEWEST_REVISION
from maskline.postgres.schema import Schema
from tests.maskline.postgres.records import connected, message_id, rejection, rows_of, run, value_of

CHECKSUM = "SELECT count(*), md5(string_agg(user_logins::text, '|' ORDER BY user_id)) FROM user_logins"


def schema(dsn: str) -> Schema:
    """Return the schema of a database."""
    return Schema(functools.partial(connect, dsn))


def structure(connection: Connection) -> list[tuple[object, ...]]:
    """Return all columns of the database with their types."""
    return rows_of(
        connection,
        "SELECT table_name, column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' ORDER BY 1, 2",
    )


def reject(connection: Connection) -> None:
    """Put one message into ``rejected_messages``."""
    refused = rejection(1)
    run(
        connection,
        "INSERT INTO rejected_messages (message_id, stream, reason, detail, sent_at, receive_count, key_id, body)"
        " VALUES (%s, 'user_logins', 'not_json', 'is not JSON', %s, 1, 1, %s)",
        [refused.receipt.message_id, refused.sent_at, refused.sealed_body],
    )


def test_a_hundred_thousand_rows_go_up_and_down_without_losing_one(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(
            connection,
            "INSERT INTO user_logins SELECT lpad(n::text, 9, '0'), 'ios', 'ip', 'device', NULL, n - 50000, '2023-11-05'"
            " FROM generate_series(1, 100000) AS n",
        )
        before = rows_of(connection, CHECKSUM)

        schema(unmigrated_dsn).migrate()
        versions = rows_of(
            connection,
            "SELECT app_version FROM user_logins WHERE user_id IN ('000000001', '000050000', '000100000') ORDER BY 1",
        )
        count = value_of(connection, "SELECT count(*) FROM user_logins WHERE app_version ~ '^-?[0-9]+$'")
        schema(unmigrated_dsn).migrate("base")

        assert before[0][0] == 100_000
        assert versions == [("-49999",), ("0",), ("50000",)]
        assert count == 100_000
        assert rows_of(connection, CHECKSUM) == before


def test_rows_that_were_there_keep_null_for_what_nobody_knows(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "INSERT INTO user_logins (user_id, app_version) VALUES ('old', 2), ('older', NULL)")

        schema(unmigrated_dsn).migrate()

        assert rows_of(
            connection,
            "SELECT user_id, app_version, message_id, sent_at, processed_at, key_id FROM user_logins ORDER BY user_id",
        ) == [("old", "2", None, None, None, None), ("older", None, None, None, None, None)]


def test_text_versions_that_the_owner_has_already_are_kept(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "ALTER TABLE user_logins ALTER COLUMN app_version TYPE varchar(64)")
        run(connection, "INSERT INTO user_logins (app_version) VALUES ('2.00')")

        schema(unmigrated_dsn).migrate()

        assert value_of(connection, "SELECT app_version FROM user_logins") == "2.00"


def test_a_downgrade_that_would_lose_a_version_refuses_and_changes_nothing(dsn: str, database: Connection) -> None:
    run(
        database,
        "INSERT INTO user_logins (user_id, app_version)"
        " VALUES ('a', '2.3.0'), ('b', '2.3.0'), ('c', '2.0'), ('d', '7'), ('e', NULL)",
    )
    schema(dsn).migrate("0010")
    rows, tables = rows_of(database, CHECKSUM), structure(database)

    with pytest.raises(DatabaseError) as refused:
        schema(dsn).migrate("base")

    assert str(refused.value) == (
        "postgres: going back to an integer app_version would lose the version of 3 rows of user_logins: "
        "'2.3.0' (2 rows), '2.0' (1 rows). Find them with: SELECT * FROM user_logins"
        " WHERE length(app_version) > 9 OR app_version !~ '^(0|-?[1-9][0-9]*)$'"
    )
    assert rows_of(database, CHECKSUM) == rows
    assert structure(database) == tables
    assert schema(dsn).revision() == "0010"


def test_ten_versions_standing_in_the_way_are_listed_and_the_others_counted(dsn: str, database: Connection) -> None:
    run(database, "INSERT INTO user_logins (app_version) SELECT '1.' || n FROM generate_series(10, 22) AS n")

    with pytest.raises(DatabaseError) as refused:
        schema(dsn).migrate("0001")

    assert "would lose the version of 13 rows of user_logins: '1.10' (1 rows), '1.11' (1 rows)," in str(refused.value)
    assert "'1.19' (1 rows) and 3 more versions. Find them" in str(refused.value)
    assert "1.20" not in str(refused.value)


@pytest.mark.parametrize(
    "version",
    [
        "007",
        "00",
        "-0",
        "+5",
        "1e3",
        "",
        " 7",
        "7 ",
        "7\n",
        "-",
        "\u0667",
        "2147483648",
        "-2147483649",
        "9999999999",
        "9" * 32,
    ],
)
def test_a_version_that_an_integer_would_not_give_back_stands_in_the_way(
    dsn: str, database: Connection, version: str
) -> None:
    run(database, "INSERT INTO user_logins (app_version) VALUES (%s)", [version])

    with pytest.raises(DatabaseError, match="would lose the version of 1 rows of user_logins"):
        schema(dsn).migrate("0001")

    assert value_of(database, "SELECT app_version FROM user_logins") == version


def test_versions_that_an_integer_gives_back_go_down_and_up(dsn: str, database: Connection) -> None:
    run(
        database,
        "INSERT INTO user_logins (app_version) VALUES ('0'), ('-7'), ('42'), ('2147483647'), ('-2147483648'), (NULL)",
    )

    schema(dsn).migrate("0001")
    integers = rows_of(database, "SELECT app_version FROM user_logins ORDER BY 1")
    schema(dsn).migrate()
    texts = rows_of(database, "SELECT app_version FROM user_logins ORDER BY app_version::bigint")

    assert integers == [(-2147483648,), (-7,), (0,), (42,), (2147483647,), (None,)]
    assert texts == [("-2147483648",), ("-7",), ("0",), ("42",), ("2147483647",), (None,)]


def test_rejected_messages_that_exist_nowhere_else_refuse_to_go(dsn: str, database: Connection) -> None:
    reject(database)
    schema(dsn).migrate("0010")
    tables = structure(database)

    with pytest.raises(DatabaseError) as refused:
        schema(dsn).migrate("0003")

    assert str(refused.value) == (
        "postgres: rejected_messages holds 1 messages that exist nowhere else. "
        "Send all of them back to the queue, or delete them, first."
    )
    assert structure(database) == tables
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 1


def test_rejected_messages_that_were_sent_back_may_go(dsn: str, database: Connection) -> None:
    reject(database)
    run(database, "UPDATE rejected_messages SET requeued_at = now()")

    assert schema(dsn).migrate("0003") == (NEWEST_REVISION, "0003")


def test_an_access_log_with_entries_is_kept_under_another_name_and_stays_guarded(
    dsn: str, database: Connection
) -> None:
    run(
        database,
        "INSERT INTO pii_access_log (accessed_at, role_name, action, stream, column_name, row_count, reason)"
        " VALUES (now(), 'me', 'unmask', 'user_logins', 'masked_ip', 1, 'ticket 7')",
    )

    schema(dsn).migrate("0004")
    schema(dsn).migrate()

    kept = value_of(database, "SELECT relname FROM pg_class WHERE relname LIKE 'pii_access_log_until_%'")
    assert value_of(database, f"SELECT reason FROM {kept}") == "ticket 7"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{kept} is append-only"):
        run(database, f"DELETE FROM {kept}")
    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 0


def test_rows_that_have_a_message_keep_it_through_a_step_back(dsn: str, database: Connection) -> None:
    run(
        database,
        "INSERT INTO user_logins (user_id, app_version, message_id, key_id) VALUES ('a', '7', %s, 12)",
        [message_id(1)],
    )

    schema(dsn).migrate("0001")
    kept = rows_of(database, "SELECT app_version, message_id::text, key_id FROM user_logins")
    schema(dsn).migrate()

    assert kept == [(7, message_id(1), 12)]
    with pytest.raises(psycopg.errors.UniqueViolation):
        run(database, "INSERT INTO user_logins (message_id) VALUES (%s)", [message_id(1)])


def test_rows_of_before_the_lake_get_the_migrations_stamp_without_a_rewrite(dsn: str, database: Connection) -> None:
    schema(dsn).migrate("0007")
    run(database, "INSERT INTO user_logins (user_id) VALUES ('a'), ('b')")
    file = value_of(database, "SELECT pg_relation_filenode('user_logins')")

    schema(dsn).migrate()
    run(database, "INSERT INTO user_logins (user_id) VALUES ('c')")

    stamps = rows_of(database, "SELECT user_id, dense_rank() OVER (ORDER BY written_in) FROM user_logins ORDER BY 1")
    assert stamps == [("a", 1), ("b", 1), ("c", 2)]
    assert value_of(database, "SELECT pg_relation_filenode('user_logins')") == file


def test_a_downgrade_that_would_publish_rows_again_refuses(dsn: str, database: Connection) -> None:
    run(
        database,
        "INSERT INTO lake_publications (stream, copy, lake_table, horizon, row_count)"
        " VALUES ('user_logins', 'opaque', gen_random_uuid(), '7', 1)",
    )

    with pytest.raises(DatabaseError, match="was published to a lake, and without written_in nobody knows how far"):
        schema(dsn).migrate("0007")

    assert value_of(database, "SELECT count(*) FROM lake_publications") == 1


@pytest.mark.parametrize(("horizon", "is_refused"), [("7", True), ("9000000000", False)])
def test_a_downgrade_after_which_restored_rows_would_be_published_again_refuses(
    dsn: str, database: Connection, horizon: str, is_refused: bool
) -> None:
    run(
        database,
        "INSERT INTO lake_publications (stream, copy, lake_table, horizon, row_count)"
        " VALUES ('user_logins', 'opaque', gen_random_uuid(), %s, 1)",
        [horizon],
    )
    run(
        database,
        "INSERT INTO lake_restores (stream, lake_table, row_count) VALUES ('user_logins', gen_random_uuid(), 1)",
    )

    if is_refused:
        with pytest.raises(DatabaseError, match="rows were restored from a copy, and are not compared"):
            schema(dsn).migrate("0015")
    else:
        schema(dsn).migrate("0015")

    assert (value_of(database, "SELECT to_regclass('lake_restores')") is not None) is is_refused
