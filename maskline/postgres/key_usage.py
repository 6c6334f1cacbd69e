"""Which keys the rows of a database were masked under."""

from __future__ import annotations

import msgspec
from psycopg import sql

from maskline.errors import DatabaseError, Remedy
from maskline.postgres.connection import Connection, map_postgres_errors, transaction
from maskline.postgres.statements import LOCK_TIMEOUT_SECONDS, REJECTED_MESSAGES

FULL_SCAN_SETTINGS = (
    f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'; SET LOCAL row_security = off; SET LOCAL statement_timeout = 0"
)
"""What transactions over all rows begin with: an error where row security would hide a row, and for a lock that is held
no endless wait; but for the rows all the time that they take, whatever the database allows a statement."""

_TABLES_WITH_KEY_IDS = """
    SELECT nspname, relname, pg_table_is_visible(pg_class.oid)
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p') AND NOT relispartition
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE (attname = 'key_id' AND atttypid IN ('bigint'::regtype, 'integer'::regtype)
           OR attname = 'message_id' AND atttypid = 'uuid'::regtype)
    GROUP BY nspname, relname, pg_class.oid
    HAVING count(*) = 2
    ORDER BY 1, 2
"""


class KeyUsage(msgspec.Struct, frozen=True):
    """How many rows of one table carry each key id.

    Attributes:
        table: The table, with its schema where it is not found without.
        rows: How many rows by key id; None stands for rows that name no key, which are older than the job.
    """

    table: str
    rows: dict[int | None, int]


def key_usage(connection: Connection, only: str | None = None) -> list[KeyUsage]:
    """Count the rows of every table of a database that the job writes, whatever its stream and schema, by key id.

    It reads each table whole. The job's tables are known by their ``message_id`` and ``key_id``.

    Args:
        connection: A connection that may read the key ids, as ``maskline_remasker`` or a table's owner may.
        only: The one table to count, with its schema or found by the search path, or None for every one.

    Returns:
        Every table, those without a row included.

    Raises:
        DatabaseError: There are no such tables, so this is not the job's database, or the connection may not read
            those of some table, so nobody knows.
    """
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute(FULL_SCAN_SETTINGS)
        cursor.execute(_TABLES_WITH_KEY_IDS)
        tables = cursor.fetchall()
        found_by_name = {table for _, table, is_visible in tables if is_visible}
        found_by_name |= {f"{schema}.{table}" for schema, table, _ in tables}
        for needed in {REJECTED_MESSAGES, only or REJECTED_MESSAGES} - found_by_name:
            raise DatabaseError(
                f"postgres: table {needed} is not there, or has no key_id, so no row can be counted; is this the job's "
                "database?",
                remedy=Remedy.MIGRATE,
            )
        if only:
            tables = [
                (schema, table, is_visible)
                for schema, table, is_visible in tables
                if only == f"{schema}.{table}" or (only == table and is_visible)
            ]
        usage = []
        for schema, table, is_visible in tables:
            query = sql.SQL("SELECT key_id, count(*) FROM {} GROUP BY key_id ORDER BY key_id")
            cursor.execute(query.format(sql.Identifier(schema, table)))
            usage.append(KeyUsage(table if is_visible else f"{schema}.{table}", dict(cursor.fetchall())))
    return usage
