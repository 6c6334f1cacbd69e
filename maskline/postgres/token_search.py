"""Finding a key's tokens in tables that do not name the key: archives, copies and views of other people.

A token begins with the id of the key that made it (see `maskline.masks.tokens`), so any column of text, bytes or JSON
can be searched for it, whatever it is called and whoever made its table.
"""

from __future__ import annotations

import base64

import msgspec
from psycopg import sql

from maskline.postgres.connection import Connection, map_postgres_errors, transaction
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS, KeyUsage
from maskline.streams.stream import JOB_TABLES

_FIXED_CHARACTERS = 6
"""How many characters of a token its key's id settles: five bytes are forty bits, and six of those make a character."""

_SEARCHED_COLUMNS = """
    SELECT nspname, relname, pg_table_is_visible(pg_class.oid), attname, atttypid = 'bytea'::regtype,
        has_column_privilege(pg_class.oid, attnum, 'SELECT') AND has_schema_privilege(relnamespace, 'USAGE'),
        EXISTS (SELECT FROM maskline_columns WHERE column_name = attname)
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p', 'm') AND NOT relispartition
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE attnum > 0 AND NOT attisdropped AND relpersistence <> 't'
      AND nspname NOT IN ('pg_catalog', 'information_schema') AND nspname NOT LIKE 'pg\\_toast%%'
      AND relname <> ALL (%s)
      AND atttypid = ANY (ARRAY['text', 'varchar', 'bpchar', 'text[]', 'varchar[]', 'bpchar[]', 'json', 'jsonb',
                                'bytea']::regtype[])
      AND NOT EXISTS (
          SELECT FROM pg_attribute AS job_column
          WHERE job_column.attrelid = pg_class.oid AND NOT job_column.attisdropped
            AND (job_column.attname = 'key_id' AND job_column.atttypid IN ('bigint'::regtype, 'integer'::regtype)
                 OR job_column.attname = 'message_id' AND job_column.atttypid = 'uuid'::regtype)
          HAVING count(*) = 2
      )
    ORDER BY nspname, relname, attnum
"""


class TokenSearch(msgspec.Struct, frozen=True):
    """The result of a search for tokens.

    Attributes:
        found: The tables that hold tokens of the key, each with how many rows do.
        unreadable: The tables that the connection may not read, and that have a column of a masked column's name.
        unknown: Other tables that it may not read.
    """

    found: list[KeyUsage]
    unreadable: list[str]
    unknown: list[str]


def search_tokens(connection: Connection, key_id: int) -> TokenSearch:
    """Search the tables of a database that name no key for tokens of one key. Each table is read as a whole.

    Args:
        connection: A connection to a database of revision 0012 or later.
        key_id: The key.

    Raises:
        MasklineError: The catalog or a table cannot be read.
    """
    search = TokenSearch([], [], [])
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute(FULL_SCAN_SETTINGS)
        cursor.execute(_SEARCHED_COLUMNS, [list(JOB_TABLES)])
        readable: dict[tuple[str, str, str], list[sql.Composable]] = {}
        for schema, table, is_visible, column, is_bytes, may_read, is_masked_name in cursor.fetchall():
            name = table if is_visible else f"{schema}.{table}"
            if may_read:
                condition = _bytes_begin(column, key_id) if is_bytes else _text_holds(column, key_id)
                readable.setdefault((schema, table, name), []).append(condition)
            elif is_masked_name and name not in search.unreadable:
                search.unreadable.append(name)
            elif name not in search.unknown:
                search.unknown.append(name)
        for (schema, table, name), conditions in readable.items():
            query = sql.SQL("SELECT count(*) FROM {} WHERE {}")
            cursor.execute(query.format(sql.Identifier(schema, table), sql.SQL(" OR ").join(conditions)))
            ((rows,),) = cursor.fetchall()
            if rows:
                search.found.append(KeyUsage(name, {key_id: rows}))
    return search


def _prefix(key_id: int) -> bytes:
    return b"\x01" + key_id.to_bytes(4, "big")


def _text_holds(column: str, key_id: int) -> sql.Composable:
    characters = base64.urlsafe_b64encode(_prefix(key_id))[:_FIXED_CHARACTERS].decode()
    return sql.SQL("strpos({}::text, {}) > 0").format(sql.Identifier(column), sql.Literal(characters))


def _bytes_begin(column: str, key_id: int) -> sql.Composable:
    beginning = sql.Literal(f"\\x{_prefix(key_id).hex()}")
    return sql.SQL("substring({} FROM 1 FOR 5) = {}::bytea").format(sql.Identifier(column), beginning)
