"""The log of every recovery of personal data, and of every erasure.

Who and when are the server's word. *Which* log is not left to the login either: a search path, a temporary table or a
schema of its own could each put another ``pii_access_log`` in the place of the one that the auditor reads.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from maskline.errors import ArgumentError, DatabaseError, DatabaseUnavailableError, Remedy
from maskline.misleading_characters import MISLEADING
from maskline.postgres.connection import Connection, Cursor, map_postgres_errors, transaction

LOG = "pii_access_log"
MAX_REASON = 1_000
MAX_CONDITION = 4_000
"""In characters; the table refuses longer ones."""

LIMIT_REACHED = "MK003"
"""What the log raises where a login has entered as much in an hour as it may."""

_SCHEMA_OF_LOG = """
    SELECT namespace.nspname
    FROM pg_catalog.pg_class AS log
    JOIN pg_catalog.pg_namespace AS namespace ON namespace.oid OPERATOR(pg_catalog.=) log.relnamespace
    JOIN pg_catalog.pg_roles AS owner ON owner.oid OPERATOR(pg_catalog.=) log.relowner
    WHERE log.relname OPERATOR(pg_catalog.=) 'pii_access_log'
      AND log.relkind OPERATOR(pg_catalog.=) 'r' AND log.relpersistence OPERATOR(pg_catalog.=) 'p'
      AND pg_catalog.has_schema_privilege(namespace.oid, 'USAGE')
      AND EXISTS (
          SELECT FROM pg_catalog.pg_trigger AS stamping
          JOIN pg_catalog.pg_proc AS function ON function.oid OPERATOR(pg_catalog.=) stamping.tgfoid
          WHERE stamping.tgrelid OPERATOR(pg_catalog.=) log.oid AND stamping.tgenabled OPERATOR(pg_catalog.<>) 'D'
            AND function.proname OPERATOR(pg_catalog.=) 'maskline_stamp_pii_access'
      )
    ORDER BY
        owner.rolsuper OR EXISTS (
            SELECT FROM pg_catalog.pg_database
            WHERE datdba OPERATOR(pg_catalog.=) owner.oid
              AND datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
        ) DESC,
        pg_catalog.pg_has_role(session_user, log.relowner, 'MEMBER'),
        pg_catalog.has_any_column_privilege(log.oid, 'INSERT') DESC,
        pg_catalog.array_position(pg_catalog.current_schemas(false), namespace.nspname),
        log.oid
    LIMIT 1
"""
"""Where the log is: one of a superuser's or of the database's owner goes before others, then one that is not the
login's own before one that is, whether it may write to it or not; then one that it may write to, and only then the
search path decides. Every name and operator is qualified, for the search path may hold others of that name.

Source: https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATTERNS
"""


def record_access(
    connection: Connection,
    *,
    action: str,
    stream: str,
    column: str,
    row_count: int,
    reason: str,
    condition: str | None = None,
) -> None:
    """Enter a recovery into ``pii_access_log``, and commit durably. Call it before the first value is shown.

    Who and when are the server's word: a trigger stamps the role of the login and its own clock.

    Args:
        connection: A connection of the person who will see the values.
        action: The command.
        stream: The stream.
        column: The column whose values will be seen.
        row_count: How many values.
        reason: Why, in the person's own words; one line of at most 1,000 characters.
        condition: The condition that chose the rows, at most 4,000 characters, or None where there was none.

    Raises:
        ArgumentError: There is no reason, or it or the condition is too long.
        DatabaseError: The role may not write to the log, and so may not see a value.
        DatabaseUnavailableError: The login has entered as much in this hour as it may.
    """
    with map_postgres_errors(), transaction(connection) as cursor:
        # Whatever the login has set: an entry that a crash of the server takes back was none.
        cursor.execute("SET LOCAL TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on")
        enter_access(
            cursor,
            action=action,
            stream=stream,
            column=column,
            row_count=row_count,
            reason=reason,
            condition=condition,
        )


def access_log(cursor: Cursor) -> sql.Identifier:
    """Return the name of the log that this login may write to, with its schema.

    Args:
        cursor: A cursor.

    Raises:
        DatabaseError: There is none.
    """
    cursor.execute(_SCHEMA_OF_LOG)
    found = cursor.fetchone()
    if found is None:
        raise DatabaseError(f"postgres: there is no {LOG} that the server stamps", remedy=Remedy.MIGRATE)
    return sql.Identifier(found[0], LOG)


def enter_access(
    cursor: Cursor,
    *,
    action: str,
    stream: str,
    column: str,
    row_count: int,
    reason: str,
    condition: str | None = None,
) -> None:
    """Enter into ``pii_access_log`` what a transaction does, so that it is there if and only if that was done.

    Args:
        cursor: A cursor of the transaction.
        action: As for `record_access`, like all that follows.
        stream: The stream.
        column: The column.
        row_count: How many rows.
        reason: Why.
        condition: Which rows.

    Raises:
        ArgumentError: As `record_access`.
        DatabaseError: There is no log, or the role may not write to it.
        DatabaseUnavailableError: The login has entered as much in this hour as it may.
    """
    check_reason(reason)
    kept = _one_line(condition)
    if kept is not None and len(kept) > MAX_CONDITION:
        raise ArgumentError(
            f"condition: is {len(kept):,} characters long; {MAX_CONDITION:,} at most, for the log keeps it"
        )
    insert = sql.SQL(
        "INSERT INTO {log} (accessed_at, role_name, action, stream, column_name, row_count, reason, condition)"
        " VALUES (pg_catalog.now(), session_user, %s, %s, %s, %s, %s, %s)"
    ).format(log=access_log(cursor))
    try:
        cursor.execute(insert, [action, stream, column, row_count, reason, kept])
    except psycopg.Error as error:
        if error.sqlstate != LIMIT_REACHED:
            raise
        raise DatabaseUnavailableError(
            f"postgres: this login has entered as much into {LOG} in this hour as it may; try again in the next"
        ) from None


def check_reason(reason: str) -> None:
    """Check a reason before any work is done for it.

    Args:
        reason: Why the values are needed.

    Raises:
        ArgumentError: It is empty, too long, or not one line of text.
    """
    if not reason.strip():
        raise ArgumentError("reason: missing; say why the values are needed")
    if len(reason) > MAX_REASON:
        raise ArgumentError(f"reason: is {len(reason):,} characters long; {MAX_REASON:,} at most")
    if MISLEADING.search(reason):
        raise ArgumentError("reason: holds line breaks or other control characters; give one line of text")


def _one_line(condition: str | None) -> str | None:
    """Return a condition as the log keeps it: a line break is written out, for a comment in SQL ends with it."""
    if condition is None:
        return None
    return MISLEADING.sub(lambda found: f"\\u{ord(found[0]):04x}", condition.replace("\t", " "))
