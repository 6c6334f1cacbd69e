"""Whether a table is as a stream needs it, asked before the first message is taken."""

from __future__ import annotations

from maskline.errors import DatabaseError, Remedy
from maskline.postgres.connection import Connection
from maskline.postgres.statements import REJECTED_MESSAGES
from maskline.streams.definition import JOB_COLUMNS, StreamDefinition

_COLUMNS = """
    SELECT
        attname,
        format_type(atttypid, atttypmod),
        has_column_privilege(attrelid, attnum, 'INSERT'),
        attnotnull AND NOT atthasdef AND attidentity = ''
    FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
_HAS_UNIQUE_MESSAGE_ID = """
    SELECT EXISTS (
        SELECT 1
        FROM pg_index
        JOIN pg_attribute ON pg_attribute.attrelid = indrelid AND attnum = indkey[0]
        WHERE indrelid = to_regclass(%s) AND indisunique AND indnkeyatts = 1 AND indpred IS NULL
          AND indisvalid AND indimmediate AND attname = 'message_id'
    )
"""
_MAY_WRITE_IDEMPOTENTLY = """
    SELECT has_column_privilege(attrelid, attnum, 'SELECT') AND has_column_privilege(attrelid, attnum, 'INSERT')
    FROM pg_attribute
    WHERE attrelid = to_regclass(%s) AND attname = 'message_id'
"""
_SHORT_NAMES = {
    "character varying": "varchar",
    "timestamp with time zone": "timestamptz",
}


def table_problems(connection: Connection, stream: StreamDefinition) -> list[str]:
    """Compare a stream's table, and ``rejected_messages``, with what the job writes.

    Args:
        connection: A connection with the permissions that the job will have.
        stream: The stream.

    Returns:
        What stands in the way, a sentence each; empty if nothing does.

    Raises:
        DatabaseError: There is no such table to compare.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        ((is_standby,),) = cursor.fetchall()
    if is_standby:
        return ["the server is a standby, which takes no writes; connect to the primary"]
    if not _exists(connection, REJECTED_MESSAGES):
        raise DatabaseError(f"postgres: table {REJECTED_MESSAGES} does not exist", remedy=Remedy.MIGRATE)
    needed = {column.name: column.type.declaration for column in stream.columns} | JOB_COLUMNS
    return [
        *_column_problems(connection, stream.table, needed),
        *_right_problems(connection, stream.table),
        *_right_problems(connection, REJECTED_MESSAGES),
    ]


def _exists(connection: Connection, table: str) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [table])
        ((exists,),) = cursor.fetchall()
    return bool(exists)


def _column_problems(connection: Connection, table: str, needed: dict[str, str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [table])
        found = {
            name: (_short(declared), may_insert, must_be_given) for name, declared, may_insert, must_be_given in cursor
        }
        cursor.execute(_HAS_UNIQUE_MESSAGE_ID, [table])
        ((has_unique_message_id,),) = cursor.fetchall()
    if not found:
        raise DatabaseError(f"postgres: table {table} does not exist", remedy=Remedy.CREATE_TABLE)
    problems = []
    for name, declaration in needed.items():
        if name not in found:
            problems.append(f"table {table} has no column {name} {declaration}")
        elif not _is_wide_enough(found[name][0], declaration):
            problems.append(f"column {table}.{name} is {found[name][0]}, the stream needs {declaration}")
        elif name != "processed_at" and not found[name][1]:
            problems.append(f"this role may not insert into {table}.{name}")
    problems.extend(
        f"column {table}.{name} is NOT NULL without a default, and the stream does not fill it"
        for name, (_, _, must_be_given) in found.items()
        if must_be_given and name not in needed
    )
    if "message_id" in found and not has_unique_message_id:
        problems.append(f"table {table} has no unique index on message_id, so redelivered messages would double")
    return problems


def _right_problems(connection: Connection, table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_MAY_WRITE_IDEMPOTENTLY, [table])
        answers = cursor.fetchall()
    if not answers or answers == [(True,)]:
        return []
    return [f"this role may not insert into {table} and read its message_id; grant it maskline_writer"]


def _short(declared: str) -> str:
    for long_name, short_name in _SHORT_NAMES.items():
        declared = declared.replace(long_name, short_name)
    return declared


def _is_wide_enough(found: str, needed: str) -> bool:
    """Say whether a column takes what the stream declares: the same type, or a longer or unlimited text."""
    if found == needed or (found in ("text", "varchar") and needed.startswith(("varchar", "text"))):
        return True
    if found.startswith("varchar(") and needed.startswith("varchar("):
        return int(found[8:-1]) >= int(needed[8:-1])
    return found.replace(" ", "") == needed.replace(" ", "")
