"""Migrating a large table: its column changes places with a copy, nobody waits, and what is in the way is named."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psycopg
import pytest

from maskline.errors import DatabaseError
from maskline.pipeline.local.postgres import OWNERS_TABLE
from maskline.postgres.connection import Connection, connect
from maskline.postgres.migrations.steps import no_progress
from maskline.postgres.revision import NEWEST_REVISION
from maskline.postgres.schema import Schema
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.streams.definition import StreamDefinition
from tests.conftest import run_sql
from tests.maskline.postgres.older_job import write_rows
from tests.maskline.postgres.records import connected, message_id, row, rows_of, run, value_of

LARGE = 150_000
FILL = """
    INSERT INTO user_logins (user_id, device_type, masked_ip, masked_device_id, locale, app_version, create_date)
    SELECT 'user-' || n, 'android', 'AQAAAAE-ip-' || n, 'AQAAAAE-device-' || n, 'RU', n % 1000, '2026-01-31'
    FROM generate_series(1, {rows}) AS n
"""
CHECKSUM = """
    SELECT count(*), sum(hashtext(user_id)::bigint * app_version::text::bigint), count(app_version) FROM user_logins
"""
OBSTACLES = [
    ("CREATE INDEX by_version ON user_logins (app_version)", "index by_version"),
    (
        "ALTER TABLE user_logins ADD CONSTRAINT positive CHECK (app_version >= 0)",
        "constraint positive on table user_logins",
    ),
    (
        "CREATE SCHEMA shop; CREATE VIEW shop.latest AS SELECT user_id, app_version FROM user_logins",
        "view shop.latest",
    ),
    (
        "CREATE TABLE seen (version integer);"
        " CREATE RULE see AS ON INSERT TO user_logins DO ALSO INSERT INTO seen VALUES (NEW.app_version)",
        "rule see of public.user_logins",
    ),
    (
        "CREATE TRIGGER touch BEFORE UPDATE ON user_logins FOR EACH ROW"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "trigger touch of user_logins",
    ),
    ("ALTER TABLE user_logins ADD COLUMN next integer GENERATED ALWAYS AS (app_version + 1) STORED", "column next"),
    ("CREATE POLICY recent ON user_logins USING (app_version > 1)", "policy recent on table user_logins"),
    ("CREATE STATISTICS together ON app_version, locale FROM user_logins", "statistics object together"),
]


def schema(dsn: str) -> Schema:
    """Return the schema of a database."""
    return Schema(functools.partial(connect, dsn))


@pytest.fixture
def large(unmigrated_dsn: str) -> Iterator[Connection]:
    """A connection to a database whose ``user_logins`` is too large to be rewritten under a lock."""
    with connected(unmigrated_dsn) as connection:
        run(connection, FILL.format(rows=LARGE))
        yield connection


def test_a_large_table_keeps_every_version_and_all_that_belongs_to_the_column(
    unmigrated_dsn: str, large: Connection
) -> None:
    run(large, "ALTER TABLE user_logins ALTER COLUMN app_version SET NOT NULL, ALTER COLUMN app_version SET DEFAULT 7")
    run(large, "COMMENT ON COLUMN user_logins.app_version IS 'the app''s'")
    run(large, "GRANT SELECT (app_version), UPDATE (app_version) ON user_logins TO pg_monitor WITH GRANT OPTION")
    run(large, "GRANT SELECT (app_version) ON user_logins TO PUBLIC")
    before = rows_of(large, CHECKSUM)
    file = value_of(large, "SELECT pg_relation_filenode('user_logins')")

    schema(unmigrated_dsn).migrate()
    run(large, "INSERT INTO user_logins (user_id) VALUES ('by default')")

    assert value_of(large, "SELECT pg_relation_filenode('user_logins')") == file, "the table was rewritten"
    assert value_of(large, "SELECT app_version FROM user_logins WHERE user_id = 'by default'") == "7"
    run(large, "DELETE FROM user_logins WHERE user_id = 'by default'")
    assert rows_of(large, CHECKSUM) == before
    assert rows_of(
        large,
        "SELECT format_type(atttypid, atttypmod), attnotnull, attacl::text, col_description(attrelid, attnum)"
        " FROM pg_attribute WHERE attrelid = 'user_logins'::regclass AND attname = 'app_version'",
    ) == [
        ("character varying(32)", True, "{pg_monitor=r*w*/postgres,=r/postgres}", "the app's"),
    ]
    assert value_of(large, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'user_logins'::regclass") == 0
    with pytest.raises(psycopg.errors.NotNullViolation):
        run(large, "INSERT INTO user_logins (app_version) VALUES (NULL)")


@pytest.mark.parametrize(("statement", "named"), OBSTACLES)
def test_what_depends_on_the_column_of_a_large_table_is_named_and_nothing_is_changed(
    unmigrated_dsn: str, large: Connection, statement: str, named: str
) -> None:
    run(large, statement)
    before = rows_of(large, "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = 'user_logins'::regclass")

    with pytest.raises(DatabaseError) as stopped:
        schema(unmigrated_dsn).migrate()

    assert "user_logins.app_version is an integer and has to become varchar(32), and in the way is: " in str(
        stopped.value
    )
    assert named in str(stopped.value)
    assert "run migrate again" in str(stopped.value)
    assert (
        rows_of(large, "SELECT attname, atttypid FROM pg_attribute WHERE attrelid = 'user_logins'::regclass") == before
    )


def test_a_view_on_a_small_table_is_named_and_an_index_goes_along(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "CREATE INDEX by_version ON user_logins (app_version)")
        run(connection, "CREATE SCHEMA shop; CREATE VIEW shop.latest AS SELECT app_version FROM user_logins")

        with pytest.raises(DatabaseError, match=r"in the way is: view shop\.latest\. Nothing was changed"):
            schema(unmigrated_dsn).migrate()
        run(connection, "DROP VIEW shop.latest")

        assert schema(unmigrated_dsn).migrate() == ("0001", NEWEST_REVISION)
        assert value_of(connection, "SELECT indexdef FROM pg_indexes WHERE indexname = 'by_version'")


def test_what_comes_into_the_way_during_the_copy_is_not_dropped(unmigrated_dsn: str, large: Connection) -> None:
    @contextlib.contextmanager
    def index_meanwhile(_: int) -> Iterator[Callable[[int], None]]:
        run(large, "CREATE INDEX IF NOT EXISTS by_version ON user_logins (app_version)")
        yield lambda _: None

    with pytest.raises(DatabaseError, match="in the way is: index by_version"):
        schema(unmigrated_dsn).migrate(progress=index_meanwhile)
    run(large, "DROP INDEX by_version")

    assert schema(unmigrated_dsn).migrate() == ("0001", NEWEST_REVISION)


def test_rows_written_during_the_copy_are_whole(unmigrated_dsn: str, large: Connection) -> None:
    @contextlib.contextmanager
    def write_meanwhile(_: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None
        run(large, "INSERT INTO user_logins (user_id, app_version) VALUES ('meanwhile', 4711)")
        run(large, "UPDATE user_logins SET app_version = 4712 WHERE user_id = 'user-1'")
        run(large, "SET session_replication_role = replica")
        run(large, "INSERT INTO user_logins (user_id, app_version) VALUES ('replicated', 4713)")

    schema(unmigrated_dsn).migrate("0002", progress=write_meanwhile)

    found = rows_of(
        large,
        "SELECT user_id, app_version FROM user_logins"
        " WHERE user_id IN ('meanwhile', 'user-1', 'replicated') ORDER BY user_id",
    )
    assert found == [("meanwhile", "4711"), ("replicated", "4713"), ("user-1", "4712")]


def test_a_copy_that_is_not_whole_is_not_taken(unmigrated_dsn: str, large: Connection) -> None:
    @contextlib.contextmanager
    def break_the_copy(_: int) -> Iterator[Callable[[int], None]]:
        yield lambda _: None
        run(large, "ALTER TABLE user_logins DISABLE TRIGGER zz_maskline_app_version")
        run(large, "UPDATE user_logins SET app_version = 4712 WHERE user_id = 'user-1'")
        run(large, "ALTER TABLE user_logins ENABLE ALWAYS TRIGGER zz_maskline_app_version")

    with pytest.raises(DatabaseError, match=r"the copy of app_version is not whole\. Run migrate again"):
        schema(unmigrated_dsn).migrate(progress=break_the_copy)
    schema(unmigrated_dsn).migrate()

    assert value_of(large, "SELECT app_version FROM user_logins WHERE user_id = 'user-1'") == "4712"


def test_a_way_back_from_the_middle_of_a_copy_leaves_the_owners_table(unmigrated_dsn: str, large: Connection) -> None:
    @contextlib.contextmanager
    def stop(_: int) -> Iterator[Callable[[int], None]]:
        raise KeyboardInterrupt
        yield lambda _: None

    columns = "SELECT attname FROM pg_attribute WHERE attrelid = 'user_logins'::regclass AND NOT attisdropped"
    before = rows_of(large, columns)
    with pytest.raises(KeyboardInterrupt):
        schema(unmigrated_dsn).migrate(progress=stop)
    between = rows_of(large, columns)

    assert schema(unmigrated_dsn).migrate("base") == ("0001", None)

    assert between != before
    assert rows_of(large, columns) == before
    assert value_of(large, "SELECT count(*) FROM pg_trigger WHERE tgrelid = 'user_logins'::regclass") == 0


def test_an_index_that_a_killed_run_left_invalid_is_built_anew(unmigrated_dsn: str, large: Connection) -> None:
    schema(unmigrated_dsn).migrate("0007")
    run(large, "ALTER TABLE user_logins ADD COLUMN written_in xid8 NOT NULL DEFAULT pg_current_xact_id()")
    with pytest.raises(psycopg.errors.UniqueViolation):  # every row has one value
        run(large, "CREATE UNIQUE INDEX CONCURRENTLY user_logins_written_in ON user_logins (written_in)")

    schema(unmigrated_dsn).migrate()

    assert rows_of(
        large, "SELECT indisvalid, indisunique FROM pg_index WHERE indexrelid = 'user_logins_written_in'::regclass"
    ) == [(True, False)]


def test_the_settings_of_the_database_are_set_aside(unmigrated_dsn: str, large: Connection) -> None:
    name = value_of(large, "SELECT current_database()")
    for setting in ("statement_timeout = '20ms'", "default_transaction_isolation = serializable", "lock_timeout = 1"):
        run(large, f"ALTER DATABASE {name} SET {setting}")

    assert schema(unmigrated_dsn).migrate() == (None, NEWEST_REVISION)


@pytest.mark.parametrize("rows", [100, LARGE])
def test_a_partitioned_table_is_migrated_with_an_index_on_each_partition(unmigrated_dsn: str, rows: int) -> None:
    with connected(unmigrated_dsn) as connection:
        run(connection, "DROP TABLE user_logins")
        run(connection, OWNERS_TABLE.strip() + " PARTITION BY RANGE (create_date)")
        run(connection, "CREATE TABLE y2026 PARTITION OF user_logins FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')")
        run(connection, "CREATE TABLE others PARTITION OF user_logins DEFAULT")
        run(connection, FILL.format(rows=rows))
        before = rows_of(connection, CHECKSUM)

        assert schema(unmigrated_dsn).migrate() == (None, NEWEST_REVISION)

        assert rows_of(connection, CHECKSUM) == before
        assert rows_of(
            connection,
            "SELECT count(*), bool_and(indisvalid) FROM pg_index WHERE indexrelid::regclass::text LIKE '%\\_in'",
        ) == [(3, True)]
        assert schema(unmigrated_dsn).migrate("base") == (NEWEST_REVISION, None)
        assert rows_of(connection, CHECKSUM) == before


def test_everything_is_in_the_schema_of_the_search_path_and_the_roles_may_use_it(unmigrated_dsn: str) -> None:
    dsn = f"{unmigrated_dsn}&options=-csearch_path%3Dapp"
    with connected(unmigrated_dsn) as connection:
        run(connection, "CREATE SCHEMA app; ALTER TABLE user_logins SET SCHEMA app")

        schema(dsn).migrate()

        assert rows_of(connection, "SELECT DISTINCT schemaname FROM pg_tables WHERE schemaname !~ '^(pg_|info)'") == [
            ("app",)
        ]
        assert value_of(
            connection,
            "SELECT bool_and(has_schema_privilege(rolname, 'app', 'USAGE')) FROM pg_roles WHERE rolname ~ '^maskline_'",
        )
        schema(dsn).migrate("base")
        assert value_of(connection, "SELECT nspacl FROM pg_namespace WHERE nspname = 'app'") in (
            None,
            ["postgres=UC/postgres"],
        )


def test_a_job_writes_and_empties_old_days_in_another_schema_with_the_writers_role(
    unmigrated_dsn: str, user_logins: StreamDefinition, caplog: pytest.LogCaptureFixture
) -> None:
    app = f"{unmigrated_dsn}&options=-csearch_path%3Dapp"
    with connected(unmigrated_dsn) as connection:
        run(connection, "CREATE SCHEMA app; ALTER TABLE user_logins SET SCHEMA app")
        schema(app).migrate()
        run(
            connection,
            "INSERT INTO app.maskline_outcomes SELECT gen_random_uuid(), now() - interval '20 days';"
            " INSERT INTO app.maskline_outcomes SELECT gen_random_uuid(), now()",
        )
        as_writer = functools.partial(connect, f"{app}%20-crole%3Dmaskline_writer")
        writer = BatchWriter(as_writer, InsertRows(user_logins), 5, threading.Event())

        outcome = writer.write([row(1, sent_at=datetime.now(UTC))])
        writer.close()

        assert outcome.inserted == {message_id(1)}
        assert value_of(connection, "SELECT count(*) FROM app.user_logins") == 1
        assert value_of(connection, "SELECT count(*) FROM app.maskline_outcomes") == 2
    assert caplog.messages == []


def test_another_masklines_tables_in_another_schema_are_not_gated(unmigrated_dsn: str) -> None:
    app = f"{unmigrated_dsn}&options=-csearch_path%3Dapp"
    with connected(unmigrated_dsn) as connection:
        run(connection, "CREATE SCHEMA app")
        schema(app).migrate("0009")
        schema(unmigrated_dsn).migrate("0010")

        gated = "SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'maskline_gate' ORDER BY 1"
        assert rows_of(connection, gated) == [("rejected_messages",), ("user_logins",)]
        schema(app).migrate("0010")
        assert rows_of(connection, gated) == [("app.rejected_messages",), ("rejected_messages",), ("user_logins",)]


def test_the_plan_says_how_much_there_is_to_do(unmigrated_dsn: str, large: Connection) -> None:
    run(large, "ANALYZE user_logins")

    plan = schema(unmigrated_dsn).plan()

    assert (plan.before, plan.after, plan.waits_for_older_jobs, plan.leaves_user_logins) == (
        None,
        NEWEST_REVISION,
        False,
        False,
    )
    assert [(table.name, table.rows) for table in plan.tables] == [("user_logins", LARGE)]
    assert plan.tables[0].size_bytes == value_of(large, "SELECT pg_relation_size('user_logins')")
    assert plan.steps > 20


class _Busy:
    """Somebody who does one thing over and over, and gives up on the database when it takes over a second."""

    def __init__(self, dsn: str, act: Callable[[Connection], object]) -> None:
        self._dsn = dsn
        self._act = act
        self._ended = threading.Event()
        self.done = 0
        self.failures: list[str] = []
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> _Busy:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()
        assert self.failures == []
        assert self.done > 10

    def _run(self) -> None:
        with connected(f"{self._dsn}&options=-cstatement_timeout%3D1s") as connection:
            while not self._ended.wait(0.01):
                try:
                    self._act(connection)
                except psycopg.Error as error:
                    self.failures.append(str(error))
                self.done += 1


def _insert_as_the_owner(connection: Connection) -> None:
    run(connection, "INSERT INTO user_logins (user_id, app_version) VALUES ('the owner''s', 7)")


def _insert_as_an_older_job(connection: Connection) -> None:
    number = value_of(connection, "SELECT nextval('numbers')")
    # The older job sets a time-out of its own, so the one that is watched is set in the statement before.
    written = write_rows(connection, [row(number, sent_at=datetime.now(UTC))], statement_timeout="1s")
    assert len(written) == 1


def _read(connection: Connection) -> None:
    run(connection, "SELECT * FROM user_logins LIMIT 5")


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nobody_waits_for_a_second_on_two_million_rows_of_the_owner(unmigrated_dsn: str) -> None:
    run_sql(unmigrated_dsn, FILL.format(rows=2_000_000))

    with (
        _Busy(unmigrated_dsn, _read),
        _Busy(unmigrated_dsn, _insert_as_the_owner) as writer,
    ):
        moved = schema(unmigrated_dsn).migrate()

    assert moved == (None, NEWEST_REVISION)
    with connected(unmigrated_dsn) as connection:
        assert value_of(connection, "SELECT count(*) FROM user_logins WHERE app_version ~ '^[0-9]+$'") == (
            2_000_000 + writer.done
        )


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_nobody_waits_for_a_second_on_two_million_rows_of_an_older_job(unmigrated_dsn: str) -> None:
    schema(unmigrated_dsn).migrate("0009")
    run_sql(unmigrated_dsn, "CREATE SEQUENCE numbers START 100000")
    run_sql(
        unmigrated_dsn,
        "INSERT INTO user_logins (user_id, masked_ip, app_version, message_id, sent_at, key_id)"
        " SELECT 'u' || n, 'AQAAAAE-ip-' || n, '2.3.0', gen_random_uuid(), now() - n * interval '1.3 s', 1"
        " FROM generate_series(1, 2000000) AS n",
    )

    with _Busy(unmigrated_dsn, _read), _Busy(unmigrated_dsn, _insert_as_an_older_job):
        expanded = schema(unmigrated_dsn).migrate(progress=no_progress)
    with _Busy(unmigrated_dsn, _read), _Busy(unmigrated_dsn, _insert_as_the_owner):
        contracted = schema(unmigrated_dsn).migrate()

    assert (expanded, contracted) == (("0009", "0010"), ("0010", NEWEST_REVISION))
    with connected(unmigrated_dsn) as connection:
        assert (
            value_of(
                connection,
                "SELECT count(*) FROM user_logins WHERE sent_at > now() - interval '15 days'"
                " AND NOT EXISTS (SELECT FROM maskline_outcomes WHERE message_id = user_logins.message_id)",
            )
            == 0
        )
