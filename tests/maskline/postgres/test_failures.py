"""What the errors of a real server mean, and that none of the messages holds a value of a row."""

from __future__ import annotations

import threading

import psycopg
import pytest

from maskline.errors import DatabaseError, DatabaseLoginError, DatabaseUnavailableError, MasklineError, Remedy
from maskline.postgres.connection import Connection
from maskline.postgres.failures import RowRejectedError, map_postgres_error
from tests.awaiting import await_until
from tests.maskline.postgres.records import connected, run, value_of, waiting_for_a_lock

SECRET = "s3cr3t-value"


def provoked(connection: Connection, statement: str, *parameters: object) -> MasklineError | RowRejectedError:
    """Return what the error of a statement means; none may hold the secret, which the server's own text does."""
    with pytest.raises(psycopg.Error) as failed:
        run(connection, statement, parameters)
    meaning = map_postgres_error(failed.value)
    assert SECRET not in str(meaning)
    return meaning


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("INSERT INTO taken (code) VALUES (%s)", "22001 string_data_right_truncation"),
        ("INSERT INTO taken (amount) VALUES (%s::text::integer)", "22P02 invalid_text_representation"),
        ("INSERT INTO taken (code) SELECT left(%s, 0)", "23514 check_violation, table taken, constraint not_empty"),
        (
            "INSERT INTO taken (kind) VALUES (left(%s, 6))",
            "23505 unique_violation, table taken, constraint taken_kind_key",
        ),
        (
            "INSERT INTO taken (code, needed) VALUES (left(%s, 1), NULL)",
            "23502 not_null_violation, table taken, column needed",
        ),
        (
            "INSERT INTO taken (code, parent) VALUES (left(%s, 1), 7)",
            "23503 foreign_key_violation, table taken, constraint taken_parent_fkey",
        ),
        ("INSERT INTO first_only (code) VALUES (left(%s, 1))", "44000 with_check_option_violation"),
        ("INSERT INTO guarded VALUES (%s)", "P0001 raise_exception"),
    ],
)
def test_values_that_a_table_does_not_take_are_the_rows_fault(
    database: Connection, statement: str, message: str
) -> None:
    run(
        database,
        """
        CREATE TABLE taken (
            id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, code varchar(8), amount integer,
            kind varchar(8) UNIQUE, needed integer NOT NULL DEFAULT 0, parent integer REFERENCES taken,
            CONSTRAINT not_empty CHECK (code <> '')
        );
        INSERT INTO taken (kind) VALUES ('s3cr3t');
        CREATE VIEW first_only AS SELECT code FROM taken WHERE code = 'none' WITH CHECK OPTION;
        CREATE TABLE guarded (code text);
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no row like % here', NEW.code; END $$;
        CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
        """,
    )

    meaning = provoked(database, statement, SECRET)

    assert isinstance(meaning, RowRejectedError)
    assert str(meaning) == message


def test_an_index_entry_too_long_is_the_rows_fault(database: Connection) -> None:
    run(database, "CREATE TABLE indexed (code text PRIMARY KEY)")

    meaning = provoked(
        database,
        "INSERT INTO indexed SELECT %s || string_agg(md5(n::text), '') FROM generate_series(1, 2000) AS n",
        SECRET,
    )

    assert isinstance(meaning, RowRejectedError)
    assert str(meaning).startswith("54000 program_limit_exceeded")


@pytest.mark.parametrize(
    ("statement", "message", "remedy"),
    [
        (
            "INSERT INTO nosuch VALUES (%s)",
            'postgres: relation "nosuch" does not exist (42P01 undefined_table)',
            Remedy.MIGRATE,
        ),
        (
            "INSERT INTO user_logins (nosuch) VALUES (%s)",
            'postgres: column "nosuch" of relation "user_logins" does not exist (42703 undefined_column)',
            Remedy.MIGRATE,
        ),
        (
            "INSERT INTO user_logins (create_date) SELECT %s::varchar",
            'postgres: column "create_date" is of type date but expression is of type character varying '
            "(42804 datatype_mismatch)",
            None,
        ),
    ],
)
def test_a_missing_table_or_column_stops_the_job(
    database: Connection, statement: str, message: str, remedy: Remedy | None
) -> None:
    meaning = provoked(database, statement, SECRET)

    assert isinstance(meaning, DatabaseError)
    assert str(meaning) == message
    assert meaning.remedy is remedy


def test_a_missing_permission_stops_the_job_and_has_a_role_for_its_remedy(dsn: str) -> None:
    with connected(dsn, role="maskline_auditor") as auditor:
        meaning = provoked(auditor, "INSERT INTO user_logins (user_id) VALUES (%s)", SECRET)

    assert isinstance(meaning, DatabaseError)
    assert str(meaning) == ("postgres: permission denied for table user_logins (42501 insufficient_privilege)")
    assert meaning.remedy is Remedy.TAKE_ROLE


def test_the_text_of_a_trigger_is_not_passed_on(database: Connection) -> None:
    run(
        database,
        """
        CREATE TABLE guarded (code text);
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'no row like % here', NEW.code USING ERRCODE = 'ZZ001'; END $$;
        CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
        """,
    )

    meaning = provoked(database, "INSERT INTO guarded VALUES (%s)", SECRET)

    assert isinstance(meaning, RowRejectedError)
    assert str(meaning) == "ZZ001 unknown"


def test_the_text_of_an_error_within_a_function_is_not_passed_on(database: Connection) -> None:
    run(
        database,
        """
        CREATE TABLE guarded (code text);
        CREATE FUNCTION guard() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN EXECUTE format('SELECT %I', NEW.code); RETURN NEW; END $$;
        CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION guard();
        """,
    )

    meaning = provoked(database, "INSERT INTO guarded VALUES (%s)", SECRET)

    assert isinstance(meaning, DatabaseError)
    assert str(meaning).startswith("postgres: a function that the table calls failed (42703 undefined_column)")


def test_a_serialization_failure_may_pass(dsn: str) -> None:
    with connected(dsn, autocommit=False) as first, connected(dsn) as second:
        run(second, "INSERT INTO user_logins (user_id) VALUES ('old')")
        run(first, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        run(first, "SELECT * FROM user_logins")
        run(second, "UPDATE user_logins SET user_id = 'new'")

        meaning = provoked(first, "UPDATE user_logins SET user_id = %s", SECRET)

    assert isinstance(meaning, DatabaseUnavailableError)
    assert str(meaning) == "postgres: 40001 serialization_failure"


def test_a_deadlock_may_pass(dsn: str) -> None:
    with connected(dsn, autocommit=False) as first, connected(dsn, autocommit=False) as second, connected(dsn) as third:
        run(first, "SET LOCAL deadlock_timeout = '10ms'")
        run(second, "SET LOCAL deadlock_timeout = '60s'")
        run(first, "LOCK TABLE user_logins")
        run(second, "LOCK TABLE rejected_messages")
        waiting = threading.Thread(target=run, args=(second, "LOCK TABLE user_logins"))
        waiting.start()
        await_until(lambda: waiting_for_a_lock(third), "the second waits for the first")

        meaning = provoked(first, "LOCK TABLE rejected_messages")
        first.rollback()
        waiting.join()

    assert isinstance(meaning, DatabaseUnavailableError)
    assert str(meaning) == "postgres: 40P01 deadlock_detected"


def test_a_lock_time_out_may_pass(dsn: str) -> None:
    with connected(dsn, autocommit=False) as holder, connected(dsn) as waiter:
        run(holder, "LOCK TABLE user_logins")
        run(waiter, "SET lock_timeout = '10ms'")

        meaning = provoked(waiter, "INSERT INTO user_logins (user_id) VALUES (%s)", SECRET)

    assert isinstance(meaning, DatabaseUnavailableError)
    assert str(meaning) == "postgres: 55P03 lock_not_available"


@pytest.mark.parametrize(
    ("settings", "meant"),
    [
        ("SET statement_timeout = '10ms'", "57014 query_canceled"),
        ("SET transaction_timeout = '10ms'; BEGIN", "25P04 transaction_timeout"),
    ],
    ids=["a statement", "a transaction"],
)
def test_what_takes_too_long_for_the_server_may_be_made_again(database: Connection, settings: str, meant: str) -> None:
    run(database, settings)

    meaning = provoked(database, "SELECT %s, pg_sleep(60)", SECRET)

    assert isinstance(meaning, DatabaseUnavailableError)
    assert str(meaning) == f"postgres: {meant}"


def test_a_transaction_that_the_server_found_idle_may_be_made_again(dsn: str, database: Connection) -> None:
    with connected(dsn) as idle:
        run(idle, "SET idle_in_transaction_session_timeout = '10ms'; BEGIN")
        is_there = "SELECT count(*) FROM pg_stat_activity WHERE pid = %s"
        await_until(lambda: not value_of(database, is_there, [idle.info.backend_pid]), "the server ends it")

        meaning = provoked(idle, "SELECT %s", SECRET)

    assert isinstance(meaning, DatabaseUnavailableError)


def test_a_read_only_server_may_be_promoted(database: Connection) -> None:
    run(database, "SET default_transaction_read_only = on")

    meaning = provoked(database, "INSERT INTO user_logins (user_id) VALUES (%s)", SECRET)

    assert isinstance(meaning, DatabaseUnavailableError)
    assert str(meaning) == "postgres: 25006 read_only_sql_transaction"


def test_a_connection_ended_by_the_server_may_come_back(dsn: str, database: Connection) -> None:
    with connected(dsn) as victim:
        run(database, "SELECT pg_terminate_backend(%s, 10000)", [victim.info.backend_pid])

        meaning = provoked(victim, "INSERT INTO user_logins (user_id) VALUES (%s)", SECRET)
        after = provoked(victim, "SELECT 1")

    assert isinstance(meaning, DatabaseUnavailableError)
    assert isinstance(after, DatabaseUnavailableError)


def test_an_error_without_a_code_that_is_not_of_the_connection_stops_the_job() -> None:
    meaning = map_postgres_error(psycopg.ProgrammingError(f"can't adapt {SECRET}"))

    assert isinstance(meaning, DatabaseError)
    assert str(meaning) == "postgres: ProgrammingError without a SQLSTATE"


@pytest.mark.parametrize("method", ["password", "PAM", "LDAP", "GSSAPI"])
def test_a_refused_password_is_told_apart_for_it_may_be_one_that_is_rotated(method: str) -> None:
    meaning = map_postgres_error(psycopg.OperationalError(f'FATAL:  {method} authentication failed for user "writer"'))

    assert type(meaning) is DatabaseLoginError


@pytest.mark.parametrize(
    "text",
    [
        'FATAL:  no pg_hba.conf entry for host "10.0.0.7", user "writer", database "logins", no encryption',
        "fe_sendauth: no password supplied",
        "server does not support SSL, but SSL was required",
        'FATAL:  permission denied for database "logins"',
    ],
)
def test_a_refused_login_stops_the_job(text: str) -> None:
    meaning = map_postgres_error(psycopg.OperationalError(text))

    assert isinstance(meaning, DatabaseError)


@pytest.mark.parametrize(
    "text",
    [
        'could not translate host name "db" to address: Temporary failure in name resolution',
        'connection to server at "10.0.0.7", port 5432 failed: Connection refused',
        "FATAL:  the database system is starting up",
        "FATAL:  sorry, too many clients already",
        "SSL SYSCALL error: Connection reset by peer",
        "server closed the connection unexpectedly",
        "",
    ],
)
def test_a_lost_connection_may_come_back(text: str) -> None:
    meaning = map_postgres_error(psycopg.OperationalError(text))

    assert isinstance(meaning, DatabaseUnavailableError)


def test_what_libpq_says_in_several_lines_is_one_of_several_clauses() -> None:
    meaning = map_postgres_error(
        psycopg.OperationalError(
            'connection failed: connection to server at "127.0.0.1", port 1 failed: Connection refused\n'
            "\tIs the server running on that host and accepting TCP/IP connections?\n"
        )
    )

    assert str(meaning) == (
        'postgres: connection to server at "127.0.0.1", port 1 failed: Connection refused; '
        "Is the server running on that host and accepting TCP/IP connections?"
    )
