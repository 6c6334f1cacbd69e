"""Nobody forges, hides or floods the access log: not with a search path, tables or functions of their own."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from maskline.errors import DatabaseError, DatabaseUnavailableError, UsageError
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import Connection, open_connection
from tests.awaiting import await_until
from tests.maskline.postgres.records import connected, rows_of, run, value_of

LOGGING_ROLES = ["maskline_analyst", "maskline_remasker", "maskline_publisher", "maskline_eraser"]
OTHER_ROLES = ["maskline_writer", "maskline_auditor"]
ENTRY = (
    "INSERT INTO public.pii_access_log (accessed_at, role_name, action, stream, column_name, row_count, reason)"
    " VALUES (now(), session_user, 'unmask', 'user_logins', 'masked_ip', 1, 'ticket 7')"
)
FORGED_ENTRY = ENTRY.replace("now(), session_user", "'2001-01-01', 'somebody_else'")
OWN_FUNCTIONS = """
    CREATE FUNCTION evil.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''2001-01-01''::timestamptz';
    CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''2001-01-01''::timestamptz';
    CREATE FUNCTION evil.date_trunc(text, timestamptz) RETURNS timestamptz
        LANGUAGE sql AS 'SELECT ''2001-01-01''::timestamptz';
    CREATE FUNCTION evil.array_position(anycompatiblearray, anycompatible) RETURNS integer LANGUAGE sql AS 'SELECT 1';
    CREATE FUNCTION evil.same(name, name) RETURNS boolean LANGUAGE sql AS 'SELECT $1::text LIKE ''evil''';
    CREATE OPERATOR evil.= (LEFTARG = name, RIGHTARG = name, FUNCTION = evil.same);
"""
OWN_LOG = """
    CREATE TABLE evil.pii_access_log (id bigint GENERATED ALWAYS AS IDENTITY, accessed_at timestamptz, role_name name,
        action text, stream text, column_name text, row_count bigint, reason text, condition text);
    CREATE FUNCTION evil.maskline_stamp_pii_access() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER stamp BEFORE INSERT ON evil.pii_access_log
        FOR EACH ROW EXECUTE FUNCTION evil.maskline_stamp_pii_access();
    CREATE TABLE evil.maskline_schema_version AS SELECT '0013' AS version_num;
    GRANT ALL ON ALL TABLES IN SCHEMA evil TO PUBLIC; GRANT USAGE ON SCHEMA evil TO PUBLIC;
"""
HIDING = [
    "UPDATE public.pii_access_log SET reason = 'none'",
    "DELETE FROM public.pii_access_log",
    "TRUNCATE public.pii_access_log",
    "DROP TABLE public.pii_access_log",
    "ALTER TABLE public.pii_access_log DISABLE TRIGGER ALL",
    "ALTER TABLE public.pii_access_log RENAME TO other_log",
    "CREATE RULE mine AS ON INSERT TO public.pii_access_log DO INSTEAD NOTHING",
    "DO 'BEGIN LOCK TABLE public.pii_access_log IN ACCESS EXCLUSIVE MODE; END'",
    "SELECT setval('public.pii_access_log_id_seq', 1)",
    "ALTER FUNCTION public.maskline_stamp_pii_access() RENAME TO other",
    "SET session_replication_role = replica",
    "CREATE TRIGGER mine BEFORE INSERT ON public.pii_access_log FOR EACH ROW EXECUTE FUNCTION evil.f()",
    "UPDATE public.maskline_access_counts SET entries = 0",
    "DELETE FROM public.maskline_access_counts",
    "SET SESSION AUTHORIZATION postgres",
]


@contextlib.contextmanager
def login_of(dsn: str, role: str) -> Iterator[str]:
    """Make a login with a role and a schema of its own for the time of a block, and yield its data source name."""
    name = f"eve_{uuid.uuid4().hex[:12]}"
    with connected(dsn) as owner:
        run(owner, f"CREATE ROLE {name} LOGIN IN ROLE {role}; CREATE SCHEMA evil AUTHORIZATION {name}")
        try:
            yield dsn.replace("postgres@", f"{name}@")
        finally:
            run(owner, f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def enter(dsn: str, reason: str = "ticket 7", condition: str | None = None) -> None:
    """Enter a recovery over a connection of a login's own."""
    with contextlib.closing(open_connection(dsn)) as connection:
        record_access(
            connection,
            action="unmask",
            stream="user_logins",
            column="masked_ip",
            row_count=1,
            reason=reason,
            condition=condition,
        )


def entries(owner: Connection) -> list[tuple[object, ...]]:
    """Return what the auditor reads: whose entries, and whether their time is the server's."""
    return rows_of(
        owner,
        "SELECT role_name LIKE 'eve_%', accessed_at BETWEEN now() - interval '1 minute' AND clock_timestamp()"
        " FROM public.pii_access_log",
    )


@pytest.mark.parametrize("role", LOGGING_ROLES)
def test_a_search_path_with_functions_and_operators_of_its_own_forges_neither_time_nor_name(
    dsn: str, database: Connection, role: str
) -> None:
    with login_of(dsn, role) as eve:
        with connected(eve) as connection:
            run(connection, OWN_FUNCTIONS)
            name = value_of(connection, "SELECT current_user")
            run(connection, f"ALTER ROLE {name} SET search_path = evil, pg_catalog, public")

        enter(eve)
        with connected(eve) as connection:
            run(connection, FORGED_ENTRY)
            run(connection, f"SET ROLE {role}; {FORGED_ENTRY}")

        assert entries(database) == [(True, True)] * 3


@pytest.mark.parametrize("role", LOGGING_ROLES)
def test_a_log_of_its_own_takes_no_entry_of_the_login_and_none_of_anybody_else(
    dsn: str, database: Connection, role: str
) -> None:
    with login_of(dsn, role) as eve:
        with connected(eve) as connection:
            run(connection, OWN_LOG)
            name = value_of(connection, "SELECT current_user")
            run(connection, f"ALTER ROLE {name} SET search_path = evil, public")

        enter(eve)
        enter(dsn)

        assert entries(database) == [(True, True), (False, True)]
        assert value_of(database, "SELECT count(*) FROM evil.pii_access_log") == 0


def test_who_may_not_write_to_the_log_writes_to_none_of_its_own(dsn: str, database: Connection) -> None:
    with login_of(dsn, "maskline_writer") as eve:
        with connected(eve) as connection:
            run(connection, OWN_LOG)

        with pytest.raises(DatabaseError, match="42501 insufficient_privilege"):
            enter(eve)

        owner = f"alice_{uuid.uuid4().hex[:12]}"
        run(database, f"CREATE ROLE {owner}; ALTER TABLE public.pii_access_log OWNER TO {owner}")
        with pytest.raises(DatabaseError, match="42501 insufficient_privilege"):
            enter(eve)

        assert value_of(database, "SELECT count(*) FROM evil.pii_access_log") == 0
        run(database, f"ALTER TABLE public.pii_access_log OWNER TO CURRENT_USER; DROP ROLE {owner}")


def test_an_owners_entries_go_to_no_log_that_a_login_offers_to_all(dsn: str, database: Connection) -> None:
    name = value_of(database, "SELECT current_database()")
    owner = f"alice_{uuid.uuid4().hex[:12]}"
    with login_of(dsn, "maskline_analyst") as eve:
        with connected(eve) as connection:
            run(connection, OWN_LOG)
        run(
            database,
            f"CREATE ROLE {owner} LOGIN; ALTER DATABASE {name} OWNER TO {owner};"
            f" ALTER TABLE pii_access_log OWNER TO {owner}",
        )

        enter(dsn.replace("postgres@", f"{owner}@"))

        assert value_of(database, "SELECT count(*) FROM evil.pii_access_log") == 0
        assert value_of(database, "SELECT count(*) FROM public.pii_access_log") == 1
        run(database, f"REASSIGN OWNED BY {owner} TO CURRENT_USER; DROP OWNED BY {owner}; DROP ROLE {owner}")


def test_a_temporary_log_takes_no_entry(dsn: str, database: Connection) -> None:
    with login_of(dsn, "maskline_analyst") as eve, contextlib.closing(open_connection(eve)) as connection:
        run(
            connection,
            "CREATE TEMPORARY TABLE pii_access_log (accessed_at timestamptz, role_name name, action text, stream text,"
            " column_name text, row_count bigint, reason text, condition text)",
        )

        record_access(connection, action="unmask", stream="s", column="c", row_count=1, reason="ticket 7")

        assert entries(database) == [(True, True)]
        assert value_of(connection, "SELECT count(*) FROM pg_temp.pii_access_log") == 0


def test_the_owners_log_in_another_schema_is_found_by_the_search_path(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as owner:
        run(
            owner,
            "CREATE SCHEMA app; CREATE SCHEMA other; CREATE FUNCTION maskline_stamp_pii_access() RETURNS trigger"
            " LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        )
        for schema in ("other", "app"):
            run(
                owner,
                f"CREATE TABLE {schema}.pii_access_log (accessed_at timestamptz, role_name name, action text,"
                " stream text, column_name text, row_count bigint, reason text, condition text);"
                f" CREATE TRIGGER stamp BEFORE INSERT ON {schema}.pii_access_log"
                " FOR EACH ROW EXECUTE FUNCTION maskline_stamp_pii_access()",
            )

        enter(f"{unmigrated_dsn}&options=-csearch_path%3Dapp")

        assert value_of(owner, "SELECT count(*) FROM app.pii_access_log") == 1
        assert value_of(owner, "SELECT count(*) FROM other.pii_access_log") == 0


def await_an_hour_that_lasts(database: Connection) -> None:
    """Return once the hour, by which entries are counted, lasts for longer than a test."""
    lasts = "SELECT date_trunc('hour', now() + interval '30 s') = date_trunc('hour', now())"
    await_until(lambda: value_of(database, lasts), "the hour has just begun")


@pytest.mark.parametrize("role", LOGGING_ROLES)
def test_a_login_floods_the_log_neither_in_one_statement_nor_in_many(dsn: str, database: Connection, role: str) -> None:
    await_an_hour_that_lasts(database)
    flood = ENTRY.replace("VALUES (", "SELECT ")[:-1] + " FROM generate_series(1, %s)"
    with login_of(dsn, role) as eve:
        with connected(eve) as connection, pytest.raises(psycopg.Error) as refused:
            run(connection, flood, [10_001])
        run(
            database,
            "INSERT INTO maskline_access_counts VALUES (%s, date_trunc('hour', now()), 9999)",
            [conninfo_to_dict(eve)["user"]],
        )
        enter(eve)
        with pytest.raises(DatabaseUnavailableError, match="has entered as much into pii_access_log in this hour"):
            enter(eve)
        others = entries(database)
        run(database, "UPDATE maskline_access_counts SET hour = hour - interval '1 hour'")
        enter(eve)

    assert refused.value.sqlstate == "MK003"
    assert others == [(True, True)]
    assert len(entries(database)) == 2


def test_a_count_of_its_own_lets_no_login_flood_the_log(dsn: str, database: Connection) -> None:
    await_an_hour_that_lasts(database)
    with login_of(dsn, "maskline_analyst") as eve:
        with connected(eve) as connection:
            run(
                connection,
                "CREATE TABLE evil.maskline_access_counts"
                " (role_name name PRIMARY KEY, hour timestamptz, entries integer);"
                " GRANT ALL ON evil.maskline_access_counts TO PUBLIC; GRANT USAGE ON SCHEMA evil TO PUBLIC;"
                " ALTER ROLE CURRENT_USER SET search_path = evil, public",
            )
        enter(eve)
        run(database, "UPDATE maskline_access_counts SET entries = 10000")

        with pytest.raises(DatabaseUnavailableError, match="has entered as much into pii_access_log in this hour"):
            enter(eve)


def test_every_function_finds_names_by_a_search_path_of_its_own(database: Connection) -> None:
    without = rows_of(
        database,
        "SELECT proname::text FROM pg_proc WHERE proname LIKE 'maskline%%' AND NOT EXISTS"
        " (SELECT FROM unnest(proconfig) AS setting WHERE setting LIKE 'search_path=%%')",
    )

    assert without == []


def test_a_log_that_the_server_does_not_stamp_takes_no_entry(dsn: str, database: Connection) -> None:
    run(
        database,
        "CREATE SCHEMA app; CREATE TABLE app.pii_access_log (LIKE public.pii_access_log);"
        " CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
        " CREATE TRIGGER note BEFORE INSERT ON app.pii_access_log FOR EACH ROW EXECUTE FUNCTION app.note()",
    )

    enter(f"{dsn}&options=-csearch_path%3Dapp,public")

    assert value_of(database, "SELECT count(*) FROM public.pii_access_log") == 1
    assert value_of(database, "SELECT count(*) FROM app.pii_access_log") == 0


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("reason", "x" * 1001),
        ("reason", "ticket 7\n2001-01-01 nobody"),
        ("reason", "\x1b[2Kticket 7"),
        ("column_name", "masked_ip\r"),
        ("condition", "x" * 4001),
        ("condition", "locale = 'DE' -- \x1b[8m"),
    ],
)
def test_an_entry_is_of_bounded_length_and_one_line(database: Connection, column: str, value: str) -> None:
    entry = {"action": "unmask", "stream": "s", "column_name": "c", "reason": "ticket 7", "condition": None}
    entry[column] = value

    with pytest.raises(psycopg.errors.CheckViolation):
        run(
            database,
            "INSERT INTO pii_access_log"
            " (accessed_at, role_name, row_count, action, stream, column_name, reason, condition)"
            " VALUES (now(), session_user, 1, %s, %s, %s, %s, %s)",
            list(entry.values()),
        )


@pytest.mark.parametrize("role", LOGGING_ROLES)
def test_a_login_chooses_no_number_for_its_entry(dsn: str, role: str) -> None:
    numbered = ENTRY.replace("(accessed_at", "(id, accessed_at").replace(
        "VALUES (now()", "OVERRIDING SYSTEM VALUE VALUES (9223372036854775807, now()"
    )
    with login_of(dsn, role) as eve, connected(eve) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(connection, numbered)


@pytest.mark.parametrize("role", [*LOGGING_ROLES, *OTHER_ROLES])
def test_a_login_hides_no_entry(dsn: str, role: str) -> None:
    refused = []

    with login_of(dsn, role) as eve, connected(eve) as connection:
        run(connection, "CREATE FUNCTION evil.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
        for statement in HIDING:
            with contextlib.suppress(psycopg.errors.InsufficientPrivilege):
                run(connection, statement)
                continue
            refused.append(statement)

    assert refused == HIDING


@pytest.mark.parametrize("role", OTHER_ROLES)
def test_who_may_not_recover_makes_no_entry(dsn: str, role: str) -> None:
    with (
        login_of(dsn, role) as eve,
        pytest.raises(DatabaseError, match="permission denied for table pii_access_log"),
    ):
        enter(eve)


def test_an_entry_is_durable_whatever_the_login_has_set(dsn: str, database: Connection) -> None:
    run(
        database,
        "CREATE TABLE levels (level text); GRANT INSERT ON levels TO maskline_analyst;"
        " CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN INSERT INTO public.levels VALUES (current_setting(''synchronous_commit'')); RETURN NULL; END';"
        " CREATE TRIGGER note AFTER INSERT ON pii_access_log FOR EACH ROW EXECUTE FUNCTION note()",
    )
    with login_of(dsn, "maskline_analyst") as eve:
        with connected(eve) as connection:
            run(connection, "ALTER ROLE CURRENT_USER SET synchronous_commit = off")

        enter(eve)

    assert rows_of(database, "SELECT level FROM levels") == [("on",)]


@pytest.mark.parametrize(
    ("reason", "condition", "complaint"),
    [
        ("x" * 1001, None, "reason: is 1,001 characters long; 1,000 at most"),
        ("ticket 7\n2001-01-01 nobody", None, "reason: holds line breaks or other control characters"),
        ("ticket \x1b[2K7", None, "reason: holds line breaks or other control characters"),
        ("ticket 7", "x" * 4001, "condition: is 4,001 characters long; 4,000 at most"),
    ],
)
def test_what_the_log_would_not_take_is_a_line_that_says_so(
    dsn: str, reason: str, condition: str | None, complaint: str
) -> None:
    with pytest.raises(UsageError, match=f"^{complaint}"):
        enter(dsn, reason, condition)


def test_a_condition_of_several_lines_is_kept_as_one(dsn: str, database: Connection) -> None:
    enter(dsn, condition="locale = 'DE'\n\tAND user_id = 'a'")

    assert rows_of(database, "SELECT condition FROM pii_access_log") == [("locale = 'DE'\\u000a AND user_id = 'a'",)]


def test_a_condition_does_not_read_otherwise_than_it_was_run(dsn: str, database: Connection) -> None:
    enter(dsn, condition="locale = 'DE' --\n OR true")
    enter(dsn, condition="locale = 'DE' /*\u202e*/ OR true\u2028")

    assert rows_of(database, "SELECT condition FROM pii_access_log ORDER BY id") == [
        ("locale = 'DE' --\\u000a OR true",),
        ("locale = 'DE' /*\\u202e*/ OR true\\u2028",),
    ]
