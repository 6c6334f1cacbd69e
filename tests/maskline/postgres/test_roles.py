"""The roles can do what they need and nothing more, and the access log cannot be rewritten."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

import psycopg
import pytest

from maskline.postgres.connection import Connection, connect
from maskline.postgres.revision import NEWEST_REVISION
from maskline.postgres.schema import Schema
from tests.maskline.postgres.records import connected, message_id, rows_of, run, value_of

INSERT_ROW = f"INSERT INTO user_logins (user_id, message_id) VALUES ('u', '{message_id(1)}')"
INSERT_REJECT = (
    "INSERT INTO rejected_messages (message_id, stream, reason, detail, sent_at, receive_count, key_id, body)"
    f" VALUES ('{message_id(2)}', 'user_logins', 'not_json', 'is not JSON', now(), 1, 1, '')"
)
INSERT_ACCESS = (
    "INSERT INTO pii_access_log (accessed_at, role_name, action, stream, column_name, row_count, reason)"
    " VALUES (now(), session_user, 'unmask', 'user_logins', 'masked_ip', 1, 'ticket 7')"
)
INSERT_PUBLICATION = (
    "INSERT INTO lake_publications (stream, copy, lake_table, horizon, row_count)"
    " VALUES ('user_logins', 'opaque', gen_random_uuid(), '7', 1)"
)
INSERT_RESTORE = (
    "INSERT INTO lake_restores (stream, lake_table, row_count) VALUES ('user_logins', gen_random_uuid(), 1)"
)
ROLES = [
    "maskline_writer",
    "maskline_analyst",
    "maskline_auditor",
    "maskline_remasker",
    "maskline_publisher",
    "maskline_eraser",
]

ALLOWED = [
    ("maskline_writer", INSERT_ROW),
    ("maskline_writer", INSERT_REJECT),
    ("maskline_writer", INSERT_ROW + " RETURNING message_id"),
    ("maskline_writer", "INSERT INTO maskline_outcomes VALUES (gen_random_uuid(), now()) RETURNING message_id"),
    ("maskline_writer", "SELECT maskline_empty_old_outcomes()"),
    ("maskline_writer", "SELECT message_id FROM user_logins"),
    ("maskline_writer", "SELECT message_id FROM rejected_messages"),
    ("maskline_writer", "SELECT version_num FROM maskline_schema_version"),
    ("maskline_analyst", "SELECT * FROM user_logins"),
    ("maskline_analyst", INSERT_ACCESS),
    ("maskline_auditor", "SELECT * FROM pii_access_log"),
    ("maskline_remasker", "SELECT tableoid, ctid, message_id, masked_ip FROM user_logins WHERE key_id = 1 FOR UPDATE"),
    ("maskline_remasker", "UPDATE user_logins SET masked_ip = '', masked_device_id = '', key_id = 1 WHERE key_id = 2"),
    ("maskline_remasker", "SELECT tableoid, ctid, message_id, body FROM rejected_messages FOR UPDATE"),
    ("maskline_remasker", "UPDATE rejected_messages SET body = '', key_id = 1 WHERE key_id = 2"),
    ("maskline_remasker", INSERT_ACCESS),
    ("maskline_publisher", "SELECT * FROM user_logins WHERE written_in < pg_snapshot_xmin(pg_current_snapshot())"),
    ("maskline_publisher", INSERT_PUBLICATION),
    ("maskline_publisher", "SELECT horizon FROM lake_publications"),
    ("maskline_publisher", INSERT_RESTORE),
    ("maskline_publisher", "SELECT recorded_in FROM lake_restores"),
    ("maskline_publisher", INSERT_ACCESS),
    ("maskline_eraser", "DELETE FROM user_logins WHERE user_id = 'u'"),
    ("maskline_eraser", "SELECT message_id, body FROM rejected_messages WHERE stream = 'user_logins'"),
    ("maskline_eraser", f"DELETE FROM rejected_messages WHERE message_id = '{message_id(1)}'"),
    ("maskline_eraser", INSERT_ACCESS),
    ("maskline_eraser", "SELECT DISTINCT stream, copy FROM lake_publications"),
    ("maskline_eraser", "INSERT INTO maskline_suppressions VALUES (DEFAULT, repeat('x', 20)::bytea, now())"),
    ("maskline_eraser", "BEGIN; LOCK TABLE maskline_suppressions IN ACCESS EXCLUSIVE MODE; COMMIT"),
    ("maskline_writer", "SELECT id, fingerprint, erased_at FROM maskline_suppressions"),
    ("maskline_writer", "SELECT maskline_expire_suppressions()"),
]
DENIED = [
    ("maskline_writer", "SELECT user_id FROM user_logins"),
    ("maskline_writer", "SELECT masked_ip FROM user_logins"),
    ("maskline_writer", "SELECT body FROM rejected_messages"),
    ("maskline_writer", "UPDATE user_logins SET user_id = ''"),
    ("maskline_writer", "UPDATE rejected_messages SET requeued_at = now()"),
    ("maskline_writer", "DELETE FROM user_logins"),
    ("maskline_writer", "DELETE FROM rejected_messages"),
    ("maskline_writer", "TRUNCATE user_logins"),
    ("maskline_writer", "SELECT * FROM pii_access_log"),
    ("maskline_writer", INSERT_ACCESS),
    ("maskline_writer", "UPDATE maskline_schema_version SET version_num = ''"),
    ("maskline_writer", "DELETE FROM maskline_outcomes"),
    ("maskline_writer", "TRUNCATE maskline_outcomes_07"),
    ("maskline_writer", "DELETE FROM maskline_suppressions"),
    ("maskline_analyst", "SELECT * FROM maskline_suppressions"),
    ("maskline_analyst", "SELECT * FROM maskline_outcomes"),
    ("maskline_analyst", "SELECT maskline_empty_old_outcomes()"),
    ("maskline_analyst", "SELECT * FROM rejected_messages"),
    ("maskline_analyst", "SELECT message_id FROM rejected_messages"),
    ("maskline_analyst", "SELECT * FROM pii_access_log"),
    ("maskline_analyst", INSERT_ROW),
    ("maskline_analyst", "UPDATE user_logins SET user_id = ''"),
    ("maskline_analyst", "DELETE FROM user_logins"),
    ("maskline_auditor", "SELECT * FROM user_logins"),
    ("maskline_auditor", "SELECT message_id FROM user_logins"),
    ("maskline_auditor", "SELECT * FROM rejected_messages"),
    ("maskline_auditor", INSERT_ACCESS),
    ("maskline_auditor", "DELETE FROM pii_access_log"),
    ("maskline_remasker", "SELECT user_id FROM user_logins"),
    ("maskline_remasker", "SELECT locale FROM user_logins"),
    ("maskline_remasker", "UPDATE user_logins SET user_id = ''"),
    ("maskline_remasker", "UPDATE user_logins SET message_id = NULL"),
    ("maskline_remasker", "DELETE FROM user_logins"),
    ("maskline_remasker", "SELECT detail FROM rejected_messages"),
    ("maskline_remasker", "UPDATE rejected_messages SET requeued_at = now()"),
    ("maskline_remasker", "DELETE FROM rejected_messages"),
    ("maskline_remasker", INSERT_ROW),
    ("maskline_remasker", "SELECT * FROM pii_access_log"),
    ("maskline_remasker", "CREATE TABLE public.mine (id integer)"),
    ("maskline_publisher", INSERT_ROW),
    ("maskline_publisher", "UPDATE user_logins SET written_in = '1'"),
    ("maskline_publisher", "DELETE FROM user_logins"),
    ("maskline_publisher", "SELECT message_id FROM rejected_messages"),
    ("maskline_publisher", "SELECT * FROM pii_access_log"),
    ("maskline_publisher", "DELETE FROM lake_publications"),
    ("maskline_publisher", "DELETE FROM lake_restores"),
    ("maskline_writer", INSERT_RESTORE),
    ("maskline_publisher", "UPDATE lake_publications SET horizon = '1'"),
    ("maskline_publisher", "CREATE TABLE public.mine (id integer)"),
    ("maskline_eraser", "SELECT masked_ip FROM user_logins"),
    ("maskline_eraser", "SELECT * FROM user_logins"),
    ("maskline_eraser", "UPDATE user_logins SET user_id = ''"),
    ("maskline_eraser", "SELECT detail FROM rejected_messages"),
    ("maskline_eraser", "UPDATE rejected_messages SET body = ''"),
    ("maskline_eraser", "SELECT * FROM pii_access_log"),
    ("maskline_eraser", "SELECT * FROM lake_publications"),
    ("maskline_eraser", INSERT_ROW),
    ("maskline_eraser", "TRUNCATE user_logins"),
    ("maskline_writer", "SELECT * FROM lake_publications"),
    ("maskline_auditor", "CREATE TABLE public.mine (id integer)"),
    ("maskline_writer", "CREATE TABLE public.mine (id integer)"),
    ("maskline_analyst", "CREATE TABLE public.mine (id integer)"),
]


LOG_CHANGES = [
    "UPDATE pii_access_log SET reason = 'none'",
    "UPDATE pii_access_log SET reason = 'none' WHERE false",
    "DELETE FROM pii_access_log",
    "TRUNCATE pii_access_log",
    "MERGE INTO pii_access_log USING (SELECT 1) AS one ON true WHEN MATCHED THEN DELETE",
]


@pytest.mark.parametrize(("role", "statement"), ALLOWED)
def test_a_role_can_do_what_it_needs(dsn: str, role: str, statement: str) -> None:
    with connected(dsn, role=role) as connection:
        run(connection, statement)

        assert connection.info.transaction_status == 0


def test_a_role_can_do_nothing_more(dsn: str) -> None:
    refused = []

    for role, statement in DENIED:
        with connected(dsn, role=role) as connection:
            try:
                run(connection, statement)
            except psycopg.errors.InsufficientPrivilege:
                refused.append((role, statement))

    assert refused == DENIED


@pytest.mark.parametrize("role", ROLES)
def test_whoever_logs_in_with_a_role_can_do_what_it_may_and_never_change_the_log(dsn: str, role: str) -> None:
    name = f"somebody_with_{role}"
    with connected(dsn) as owner:
        run(owner, f"CREATE ROLE {name} LOGIN IN ROLE {role}; {INSERT_ACCESS}")
        try:
            with connected(dsn.replace("postgres@", f"{name}@")) as somebody:
                refused = _refused(somebody, [statement for of_role, statement in DENIED if of_role == role])
                changes = _refused(somebody, LOG_CHANGES)
                for statement in [statement for of_role, statement in ALLOWED if of_role == role]:
                    run(somebody, statement)
        finally:
            run(owner, f"DROP ROLE {name}")

    assert refused == [statement for of_role, statement in DENIED if of_role == role]
    assert changes == LOG_CHANGES


def _refused(connection: Connection, statements: list[str]) -> list[str]:
    refused = []
    for statement in statements:
        try:
            run(connection, statement)
        except psycopg.errors.InsufficientPrivilege:
            refused.append(statement)
    return refused


def test_no_role_can_log_in_or_rule_over_others(database: Connection) -> None:
    roles = rows_of(
        database,
        "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls FROM pg_roles"
        " WHERE rolname LIKE 'maskline%' ORDER BY rolname",
    )

    assert roles == [
        ("maskline_analyst", False, False, False, False, False, False),
        ("maskline_auditor", False, False, False, False, False, False),
        ("maskline_eraser", False, False, False, False, False, False),
        ("maskline_publisher", False, False, False, False, False, False),
        ("maskline_remasker", False, False, False, False, False, False),
        ("maskline_writer", False, False, False, False, False, False),
    ]


@pytest.mark.parametrize("statement", LOG_CHANGES)
def test_the_access_log_is_append_only_even_for_its_owner(database: Connection, statement: str) -> None:
    run(database, INSERT_ACCESS)

    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="pii_access_log is append-only"):
        run(database, statement)

    assert rows_of(database, "SELECT reason FROM pii_access_log") == [("ticket 7",)]


def test_the_access_log_stamps_who_and_when_itself(dsn: str) -> None:
    name = "forger"
    with connected(dsn) as owner:
        run(owner, f"CREATE ROLE {name} LOGIN IN ROLE maskline_analyst")
        try:
            with connected(dsn.replace("postgres@", f"{name}@")) as forger:
                run(forger, "SET ROLE maskline_analyst")
                run(
                    forger,
                    INSERT_ACCESS.replace("now(), session_user", "'2001-01-01', 'somebody_else'"),
                )
            entry = rows_of(owner, "SELECT role_name, accessed_at > now() - interval '1 minute' FROM pii_access_log")
        finally:
            run(owner, f"DROP ROLE {name}")

    assert entry == [("forger", True)]


def test_the_access_log_keeps_its_numbering(database: Connection) -> None:
    run(database, INSERT_ACCESS)
    run(database, INSERT_ACCESS)

    with pytest.raises(psycopg.errors.GeneratedAlways):
        run(
            database,
            "INSERT INTO pii_access_log (id, accessed_at, role_name, action, stream, column_name, row_count, reason)"
            " VALUES (1, now(), 'me', 'unmask', 's', 'c', 1, 'again')",
        )

    assert rows_of(database, "SELECT id FROM pii_access_log ORDER BY id") == [(1,), (2,)]


@pytest.mark.parametrize("reason", ["", "   ", "\t\n"])
def test_the_access_log_takes_no_entry_without_a_reason(database: Connection, reason: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        run(database, INSERT_ACCESS.replace("'ticket 7'", "%s"), [reason])

    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 0


def test_rows_are_stamped_by_the_servers_clock(database: Connection) -> None:
    before = datetime.now(UTC)
    run(database, INSERT_ROW)
    run(database, INSERT_REJECT)

    processed_at = value_of(database, "SELECT processed_at FROM user_logins")
    rejected_at = value_of(database, "SELECT rejected_at FROM rejected_messages")

    assert before <= processed_at <= datetime.now(UTC)
    assert before <= rejected_at <= datetime.now(UTC)


def test_an_owner_who_may_not_create_roles_can_migrate_where_they_exist(unmigrated_dsn: str) -> None:
    name = "plain_owner"
    with connected(unmigrated_dsn) as admin:
        run(admin, f"CREATE ROLE {name} LOGIN; GRANT CREATE ON SCHEMA public TO {name}")
        run(admin, f"ALTER TABLE user_logins OWNER TO {name}")
        try:
            moved = Schema(functools.partial(connect, unmigrated_dsn.replace("postgres@", f"{name}@"))).migrate()
            rights = value_of(
                admin, "SELECT has_column_privilege('maskline_writer', 'user_logins', 'message_id', 'SELECT')"
            )
        finally:
            run(admin, f"REASSIGN OWNED BY {name} TO postgres; DROP OWNED BY {name}; DROP ROLE {name}")

    assert moved == (None, NEWEST_REVISION)
    assert rights is True
