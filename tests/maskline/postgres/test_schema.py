"""The way from one revision of the schema to another, and back."""

from __future__ import annotations

import functools
import subprocess
import threading

import pytest

from maskline.errors import DatabaseError, DatabaseUnavailableError, UsageError
from maskline.pipeline.local.postgres import OWNERS_TABLE, EmbeddedPostgres
from maskline.postgres.connection import Connection, connect
from maskline.postgres.revision import NEWEST_REVISION
from maskline.postgres.schema import Schema, print_sql, revisions
from maskline.streams.definition import StreamDefinition
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
REVISIONS = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0015",
    "0016",
    "0017",
)


def schema(dsn: str) -> Schema:
    """Return the schema of a database."""
    return Schema(functools.partial(connect, dsn))


def run_psql(postgres: EmbeddedPostgres, dsn: str, script: str) -> None:
    """Run a printed script as a DBA would."""
    command = [str(postgres.psql), "--no-psqlrc", "--quiet", "--output=/dev/null", dsn]
    subprocess.run(command, input=script, text=True, check=True, capture_output=True)


def everything(dsn: str) -> list[list[tuple[object, ...]]]:
    """Return what a database looks like: columns, permissions, indexes, triggers."""
    with connected(dsn) as connection:
        return [rows_of(connection, query) for query in (COLUMNS, RIGHTS, INDEXES, TRIGGERS)]


def test_the_newest_revision_is_the_one_that_the_job_knows() -> None:
    assert tuple(revisions()) == REVISIONS
    assert revisions()[-1] == NEWEST_REVISION


def test_a_database_that_was_never_migrated_has_no_revision(unmigrated_dsn: str) -> None:
    assert schema(unmigrated_dsn).revision() is None


def test_migrating_brings_what_the_job_needs(unmigrated_dsn: str) -> None:
    before, after = schema(unmigrated_dsn).migrate()

    assert (before, after) == (None, NEWEST_REVISION)
    assert schema(unmigrated_dsn).revision() == NEWEST_REVISION
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


def test_a_database_without_user_logins_gets_none(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "DROP TABLE user_logins")

        assert schema(unmigrated_dsn).migrate() == (None, NEWEST_REVISION)
        assert value_of(connection, "SELECT to_regclass('user_logins')") is None
        assert schema(unmigrated_dsn).migrate("base") == (NEWEST_REVISION, None)


def test_a_user_logins_that_is_made_later_is_migrated_by_the_next_run(unmigrated_dsn: str, dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "DROP TABLE user_logins")
        schema(unmigrated_dsn).migrate()
        run(connection, OWNERS_TABLE)

    assert schema(unmigrated_dsn).migrate() == (None, NEWEST_REVISION)

    assert everything(unmigrated_dsn) == everything(dsn)


def test_another_user_logins_is_left_alone(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "ALTER TABLE user_logins DROP COLUMN masked_ip, ADD COLUMN ip inet")
        before = rows_of(connection, COLUMNS)

        is_left = schema(unmigrated_dsn).plan().leaves_user_logins
        schema(unmigrated_dsn).migrate()

        assert is_left
        assert rows_of(connection, COLUMNS.replace("ORDER BY", "AND table_name = 'user_logins' ORDER BY")) == before
        assert value_of(connection, "SELECT relacl FROM pg_class WHERE relname = 'user_logins'") is None


def test_the_table_of_a_stream_is_made_when_it_is_asked_for_and_is_not_there(
    unmigrated_dsn: str, user_logins: StreamDefinition
) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "DROP TABLE user_logins")
    schema(unmigrated_dsn).migrate()

    made = [schema(unmigrated_dsn).create_tables([user_logins]) for _ in range(2)]

    assert made == [["user_logins"], []]
    assert schema(unmigrated_dsn).migrate("base") == (NEWEST_REVISION, None)
    assert schema(unmigrated_dsn).migrate() == (None, NEWEST_REVISION)


def test_migrating_again_changes_nothing(dsn: str) -> None:
    before = everything(dsn)

    assert schema(dsn).migrate() == (NEWEST_REVISION, NEWEST_REVISION)

    assert everything(dsn) == before


def test_going_back_to_the_base_leaves_the_table_as_its_owner_made_it(unmigrated_dsn: str) -> None:
    owners = everything(unmigrated_dsn)
    schema(unmigrated_dsn).migrate()

    assert schema(unmigrated_dsn).migrate("base") == (NEWEST_REVISION, None)

    with connected(unmigrated_dsn) as connection:
        assert value_of(connection, "SELECT count(*) FROM maskline_schema_version") == 0
        run(connection, "DROP TABLE maskline_schema_version")
    assert everything(unmigrated_dsn)[0] == owners[0]
    assert everything(unmigrated_dsn)[2:] == owners[2:]
    assert "maskline" not in str(everything(unmigrated_dsn)[1])


@pytest.mark.parametrize(
    "revision", ["base", "0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010", "0011"]
)
def test_every_step_back_can_be_taken_forward_again(dsn: str, revision: str) -> None:
    before = everything(dsn)

    down = schema(dsn).migrate(revision)
    up = schema(dsn).migrate()

    stood = None if revision == "base" else revision
    assert down == (NEWEST_REVISION, stood)
    assert up == (stood, NEWEST_REVISION)
    assert everything(dsn) == before


def test_one_step_at_a_time_leads_where_all_at_once_do(unmigrated_dsn: str, dsn: str) -> None:
    for revision in REVISIONS:
        assert schema(unmigrated_dsn).migrate(revision)[1] == revision

    assert everything(unmigrated_dsn) == everything(dsn)


@pytest.mark.parametrize("unknown", ["0042", "", "heads", "-1", "+1", "000"])
def test_an_unknown_revision_is_refused_with_those_that_there_are(dsn: str, unknown: str) -> None:
    known = "base, 0001, 0002, 0003, 0004, 0005, 0006, 0007, 0008, 0009, 0010, 0011, 0012, 0013, 0015, 0016, 0017, head"
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


def test_the_printed_sql_does_what_migrating_does(postgres: EmbeddedPostgres, unmigrated_dsn: str, dsn: str) -> None:
    run_psql(postgres, unmigrated_dsn, print_sql(None))

    assert everything(unmigrated_dsn) == everything(dsn)
    assert schema(unmigrated_dsn).revision() == NEWEST_REVISION


def test_the_printed_way_back_does_what_migrating_back_does(
    postgres: EmbeddedPostgres, dsn: str, unmigrated_dsn: str
) -> None:
    schema(unmigrated_dsn).migrate("0001")

    run_psql(postgres, dsn, print_sql(NEWEST_REVISION, "0001"))

    assert everything(dsn)[0] == everything(unmigrated_dsn)[0]
    assert everything(dsn)[2:] == everything(unmigrated_dsn)[2:]
    assert schema(dsn).revision() == "0001"


def test_the_printed_way_back_refuses_to_lose_a_version(
    postgres: EmbeddedPostgres, dsn: str, database: Connection
) -> None:
    run(database, "INSERT INTO user_logins (app_version) VALUES ('2.3.0')")

    with pytest.raises(subprocess.CalledProcessError) as stopped:
        run_psql(postgres, dsn, print_sql(NEWEST_REVISION, "base"))

    assert "would lose the version of 1 rows" in stopped.value.stderr
    assert value_of(database, "SELECT app_version FROM user_logins") == "2.3.0"
    assert schema(dsn).revision() == "0010"


def test_nothing_is_printed_where_nothing_is_to_do() -> None:
    assert print_sql(NEWEST_REVISION) == ""
    assert print_sql("0003", "0003") == ""


def test_two_migrations_at_the_same_time_do_not_collide(unmigrated_dsn: str, dsn: str) -> None:
    results: list[tuple[str | None, str | None]] = []
    threads = [threading.Thread(target=lambda: results.append(schema(unmigrated_dsn).migrate())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results, key=str) == [
        (NEWEST_REVISION, NEWEST_REVISION),
        (NEWEST_REVISION, NEWEST_REVISION),
        (NEWEST_REVISION, NEWEST_REVISION),
        (None, NEWEST_REVISION),
    ]
    assert everything(unmigrated_dsn) == everything(dsn)


def test_a_table_in_use_is_not_waited_for_for_long_and_its_user_is_named(unmigrated_dsn: str) -> None:
    before = everything(unmigrated_dsn)
    with connected(unmigrated_dsn, autocommit=False) as reader:
        run(reader, "SELECT * FROM user_logins")
        pid = value_of(reader, "SELECT pg_backend_pid()")

        with pytest.raises(DatabaseUnavailableError) as given_up:
            Schema(functools.partial(connect, unmigrated_dsn), lock_deadline_seconds=0.5).migrate()

    assert "step '0002 app_version begun' got no lock (55P03)" in str(given_up.value)
    assert f"session {pid} of postgres (idle in transaction, since " in str(given_up.value)
    assert [line for line in everything(unmigrated_dsn)[0] if line[0] == "user_logins"] == before[0]
    assert schema(unmigrated_dsn).migrate() == ("0001", NEWEST_REVISION)


def test_a_way_back_gives_up_on_a_table_in_use_and_changes_nothing(dsn: str) -> None:
    schema(dsn).migrate("0010")
    before = everything(dsn)
    with connected(dsn, autocommit=False) as reader:
        run(reader, "SELECT * FROM user_logins")

        with pytest.raises(DatabaseUnavailableError, match="got no lock"):
            Schema(functools.partial(connect, dsn), lock_deadline_seconds=0.5).migrate("0007")

    assert everything(dsn) == before
    assert schema(dsn).revision() == "0010"


def test_a_second_migration_says_who_holds_it_up(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as first:
        run(first, "SELECT pg_advisory_lock(x'6D61736B'::integer)")
        pid = value_of(first, "SELECT pg_backend_pid()")

        with pytest.raises(DatabaseUnavailableError) as given_up:
            Schema(functools.partial(connect, unmigrated_dsn), wait_seconds=0).migrate()

    assert f"another migration of this database is under way (session {pid} of postgres, since " in str(given_up.value)
    assert schema(unmigrated_dsn).revision() is None


def test_a_missing_right_is_told_and_nothing_is_changed(unmigrated_dsn: str) -> None:
    before = everything(unmigrated_dsn)

    with pytest.raises(DatabaseError, match="permission denied for schema public"):
        Schema(functools.partial(connect, f"{unmigrated_dsn}&options=-c%20role%3Dmaskline_writer")).migrate()

    assert everything(unmigrated_dsn) == before
