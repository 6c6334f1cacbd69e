"""Which keys the rows of a database were masked under."""

from __future__ import annotations

import msgspec
from psycopg2 import sql

from maskline.postgres.connection import Connection, translating

_TABLES_WITH_KEY_IDS = """
    SELECT relname
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p') AND NOT relispartition
    WHERE NOT attisdropped AND pg_table_is_visible(attrelid)
      AND (attname = 'key_id' AND atttypid = 'bigint'::regtype
           OR attname = 'message_id' AND atttypid = 'uuid'::regtype)
    GROUP BY relname
    HAVING count(*) = 2
    ORDER BY 1
"""


class KeyUsage(msgspec.Struct, frozen=True):
    """How many rows of one table carry one key id.

    Attributes:
        table: The table.
        key_id: The key's id, or None for rows that name no key: they are older than the job.
        rows: How many.
    """

    table: str
    key_id: int | None
    rows: int


def key_usage(connection: Connection) -> list[KeyUsage]:
    """Count the rows of every table that the job writes, whatever its stream, by key id.

    It reads each table whole. A table counts that has a ``message_id`` and a ``key_id`` of the job's types and is found
    without naming its schema.

    Args:
        connection: A connection that may read the key ids, as ``maskline_remasker`` or a table's owner may.

    Raises:
        DatabaseError: It may not read those of some table, so nobody knows.
    """
    usage: list[KeyUsage] = []
    with translating(), connection, connection.cursor() as cursor:
        cursor.execute(_TABLES_WITH_KEY_IDS)
        for (table,) in cursor.fetchall():
            query = sql.SQL("SELECT key_id, count(*) FROM {} GROUP BY key_id ORDER BY key_id")
            cursor.execute(query.format(sql.Identifier(table)))
            usage.extend(KeyUsage(table, key_id, rows) for key_id, rows in cursor)
    return usage
