"""The way from one revision of the schema to another, and back."""

from __future__ import annotations

import functools
import threading

import psycopg2.errors
import pytest

from maskline.errors import DatabaseError, DatabaseUnavailableError, UsageError
from maskline.postgres.connection import Connection, connect
from maskline.postgres.revision import NEEDED_REVISION
from maskline.postgres.schema import Schema, print_sql, revisions
from tests.maskline.postgres.records import connected, rows_of, run, value_of

COLUMNS = """
    SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, ordinal_position
"""
RIGHTS = """
    SELECT relname, attname, acl::text
    FROM (
        SELECT relname::text, '' AS attname, relacl AS acl FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL
        SELECT relname::text, attname::text, attacl
        FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace
    ) AS rights
    WHERE acl IS NOT NULL ORDER BY relname, attname
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexdef"
TRIGGERS = "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1"


def schema(dsn: str) -> Schema:
    """Return the schema of a database."""
    return Schema(functools.partial(connect, dsn))


def everything(dsn: str) -> list[list[tuple[object, ...]]]:
    """Return what a database looks like: columns, permissions, indexes, triggers."""
    with connected(dsn) as connection:
        return [rows_of(connection, query) for query in (COLUMNS, RIGHTS, INDEXES, TRIGGERS)]


def test_there_are_nine_revisions() -> None:
    assert revisions() == ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"]
    assert revisions()[-1] == NEEDED_REVISION


def test_a_database_that_was_never_migrated_has_no_revision(unmigrated_dsn: str) -> None:
    assert schema(unmigrated_dsn).revision() is None


def test_migrating_brings_what_the_job_needs(unmigrated_dsn: str) -> None:
    before, after = schema(unmigrated_dsn).migrate()

    assert (before, after) == (None, "0009")
    assert schema(unmigrated_dsn).revision() == "0009"
    with connected(unmigrated_dsn) as connection:
        assert rows_of(connection, COLUMNS.replace("ORDER BY", "AND table_name = 'user_logins' ORDER BY")) == [
            ("user_logins", "user_id", "character varying", 128, "YES", None),
            ("user_logins", "device_type", "character varying", 32, "YES", None),
            ("user_logins", "masked_ip", "character varying", 256, "YES", None),
            ("user_logins", "masked_device_id", "character varying", 256, "YES", None),
            ("user_logins", "locale", "character varying", 32, "YES", None),
            ("user_logins", "app_version", "character varying", 32, "YES", None),
            ("user_logins", "create_date", "date", None, "YES", None),
            ("user_logins", "message_id", "uuid", None, "YES", None),
            ("user_logins", "sent_at", "timestamp with time zone", None, "YES", None),
            ("user_logins", "processed_at", "timestamp with time zone", None, "YES", "now()"),
            ("user_logins", "key_id", "bigint", None, "YES", None),
            ("user_logins", "written_in", "xid8", None, "NO", "pg_current_xact_id()"),
        ]


def test_a_database_without_the_table_gets_it(unmigrated_dsn: str, dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "DROP TABLE user_logins")

    schema(unmigrated_dsn).migrate()

    assert everything(unmigrated_dsn) == everything(dsn)


def test_migrating_again_changes_nothing(dsn: str) -> None:
    before = everything(dsn)

    assert schema(dsn).migrate() == ("0009", "0009")

    assert everything(dsn) == before


def test_going_back_to_the_base_leaves_the_table_as_its_owner_made_it(unmigrated_dsn: str) -> None:
    owners = everything(unmigrated_dsn)
    schema(unmigrated_dsn).migrate()

    assert schema(unmigrated_dsn).migrate("base") == ("0009", None)

    with connected(unmigrated_dsn) as connection:
        assert value_of(connection, "SELECT count(*) FROM maskline_schema_version") == 0
        run(connection, "DROP TABLE maskline_schema_version")
    assert everything(unmigrated_dsn)[0] == owners[0]
    assert everything(unmigrated_dsn)[2:] == owners[2:]
    assert "maskline" not in str(everything(unmigrated_dsn)[1])


@pytest.mark.parametrize("revision", ["base", "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008"])
def test_every_step_back_can_be_taken_forward_again(dsn: str, revision: str) -> None:
    before = everything(dsn)

    down = schema(dsn).migrate(revision)
    up = schema(dsn).migrate()

    stood = None if revision == "base" else revision
    assert down == ("0009", stood)
    assert up == (stood, "0009")
    assert everything(dsn) == before


def test_one_step_at_a_time_leads_where_all_at_once_do(unmigrated_dsn: str, dsn: str) -> None:
    for revision in ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009"):
        assert schema(unmigrated_dsn).migrate(revision)[1] == revision

    assert everything(unmigrated_dsn) == everything(dsn)


@pytest.mark.parametrize("unknown", ["0010", "", "heads", "-1", "+1", "000"])
def test_an_unknown_revision_is_refused_with_those_that_there_are(dsn: str, unknown: str) -> None:
    known = "base, 0001, 0002, 0003, 0004, 0005, 0006, 0007, 0008, 0009, head"
    expected = f"revision {unknown!r} is not known; known: {known}"

    with pytest.raises(UsageError) as refused_to_run:
        schema(dsn).migrate(unknown)
    with pytest.raises(UsageError) as refused_to_print:
        print_sql(None, unknown)

    assert str(refused_to_run.value) == expected
    assert str(refused_to_print.value) == expected


def test_a_database_of_a_newer_maskline_is_left_alone(dsn: str, database: Connection) -> None:
    run(database, "UPDATE maskline_schema_version SET version_num = '0099'")
    before = everything(dsn)

    with pytest.raises(DatabaseError, match="revision 0099"):
        schema(dsn).migrate()
    with pytest.raises(DatabaseError, match="revision 0099"):
        print_sql("0099")

    assert everything(dsn) == before
    assert schema(dsn).revision() == "0099"


def test_the_printed_sql_does_what_migrating_does(unmigrated_dsn: str, dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, print_sql(None))

    assert everything(unmigrated_dsn) == everything(dsn)
    assert schema(unmigrated_dsn).revision() == "0009"


def test_the_printed_way_back_does_what_migrating_back_does(dsn: str, unmigrated_dsn: str) -> None:
    schema(unmigrated_dsn).migrate("0001")

    with connected(dsn) as connection:
        run(connection, print_sql("0009", "0001"))

    assert everything(dsn)[0] == everything(unmigrated_dsn)[0]
    assert everything(dsn)[2:] == everything(unmigrated_dsn)[2:]
    assert schema(dsn).revision() == "0001"


def test_the_printed_way_back_refuses_to_lose_a_version(dsn: str, database: Connection) -> None:
    run(database, "INSERT INTO user_logins (app_version) VALUES ('2.3.0')")

    with pytest.raises(psycopg2.errors.RaiseException, match="would lose the version of 1 rows"):
        run(database, print_sql("0009", "base"))
    run(database, "ROLLBACK")

    assert value_of(database, "SELECT app_version FROM user_logins") == "2.3.0"


def test_nothing_is_printed_where_nothing_is_to_do() -> None:
    assert print_sql("0009") == ""
    assert print_sql("0003", "0003") == ""


def test_two_migrations_at_the_same_time_do_not_collide(unmigrated_dsn: str, dsn: str) -> None:
    results: list[tuple[str | None, str | None]] = []
    threads = [threading.Thread(target=lambda: results.append(schema(unmigrated_dsn).migrate())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results, key=str) == [("0009", "0009"), ("0009", "0009"), ("0009", "0009"), (None, "0009")]
    assert everything(unmigrated_dsn) == everything(dsn)


def test_a_table_in_use_is_not_waited_for_and_nothing_is_changed(
    unmigrated_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=200ms")
    before = everything(unmigrated_dsn)
    with connected(unmigrated_dsn, autocommit=False) as reader:
        run(reader, "SELECT * FROM user_logins")

        with pytest.raises(DatabaseUnavailableError, match="57014 query_canceled"):
            schema(unmigrated_dsn).migrate()

    assert everything(unmigrated_dsn) == before


def test_a_missing_right_is_told_and_nothing_is_changed(unmigrated_dsn: str) -> None:
    before = everything(unmigrated_dsn)

    with pytest.raises(DatabaseError, match="permission denied for schema public"):
        Schema(functools.partial(connect, f"{unmigrated_dsn}&options=-c%20role%3Dmaskline_writer")).migrate()

    assert everything(unmigrated_dsn) == before
