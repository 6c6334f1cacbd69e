"""Finding a key's tokens in tables that do not name the key: archives, copies and views of other people.

A token begins with the id of the key that made it (see `maskline.masks.tokens`), so any column of text, bytes or JSON
can be searched for it, whatever it is called and whoever made its table. Where a table does name keys, the rows that
name another one, or none, are searched: a copy may say what it likes.
"""

from __future__ import annotations

import base64
import itertools
from typing import Any, NamedTuple

import msgspec
from psycopg import sql

from maskline.postgres.connection import NO_TRANSACTION_TIMEOUTS, Connection, map_postgres_errors, transaction
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS, KeyUsage
from maskline.streams.stream import JOB_TABLES

_FIXED_CHARACTERS = 6
"""How many characters of a token its key's id settles: five bytes are forty bits, and six of those make a character."""

_SEARCHED_COLUMNS = """
    SELECT nspname, relname, pg_table_is_visible(pg_class.oid), attname,
        coalesce(element.oid, base.oid) = 'bytea'::regtype, element.oid IS NOT NULL,
        has_column_privilege(pg_class.oid, attnum, 'SELECT') AND has_schema_privilege(relnamespace, 'USAGE'),
        EXISTS (SELECT FROM maskline_columns WHERE column_name = attname),
        (
            SELECT count(*) = 2 FROM pg_attribute AS job_column
            WHERE job_column.attrelid = pg_class.oid AND NOT job_column.attisdropped
              AND (job_column.attname = 'key_id' AND job_column.atttypid IN ('bigint'::regtype, 'integer'::regtype)
                   OR job_column.attname = 'message_id' AND job_column.atttypid = 'uuid'::regtype)
        )
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p', 'm', 'f') AND NOT relispartition
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    JOIN pg_type AS named ON named.oid = atttypid
    JOIN pg_type AS base ON base.oid = CASE named.typtype WHEN 'd' THEN named.typbasetype ELSE named.oid END
    LEFT JOIN pg_type AS element ON base.typcategory = 'A' AND element.oid = base.typelem
    WHERE attnum > 0 AND NOT attisdropped AND relpersistence <> 't'
      AND nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(nspname, 'pg_toast')
      AND relname <> ALL (%s)
      AND coalesce(element.typcategory, base.typcategory) IN ('S', 'C', 'U')
      AND coalesce(element.oid, base.oid) <> ALL (
          ARRAY['uuid', 'macaddr', 'macaddr8', 'pg_lsn', 'xid', 'xid8', 'tid', 'aclitem']::regtype[])
    ORDER BY nspname, relname, attnum
"""
"""Columns of texts, documents, bytes, records and types of extensions, domains over these and arrays of them."""


class _SearchedColumn(NamedTuple):
    schema: str
    table: str
    is_visible: bool
    name: str
    is_bytes: bool
    is_array: bool
    may_read: bool
    is_masked_name: bool
    names_keys: bool


class TokenSearch(msgspec.Struct, frozen=True):
    """The result of a search for tokens.

    Attributes:
        found: The tables that hold tokens of the key, each with how many rows do that do not name it.
        unreadable: The tables that the connection may not read, and that have a column of a masked column's name.
        unknown: Other tables that it may not read.
    """

    found: list[KeyUsage]
    unreadable: list[str]
    unknown: list[str]


def search_tokens(connection: Connection, key_id: int) -> TokenSearch:
    """Search the tables of a database for tokens of a key in rows that do not name it. Each table is read as a whole.

    Args:
        connection: A connection to a database of revision 0012 or later.
        key_id: The key.

    Raises:
        MasklineError: The catalog or a table cannot be read.
    """
    search = TokenSearch([], [], [])
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute(f"{FULL_SCAN_SETTINGS}; {NO_TRANSACTION_TIMEOUTS}; SET LOCAL bytea_output = 'hex'")
        cursor.execute(_SEARCHED_COLUMNS, [list(JOB_TABLES)])
        columns = [_SearchedColumn(*row) for row in cursor.fetchall()]
        for _, of_table in itertools.groupby(columns, key=lambda column: (column.schema, column.table)):
            _search_table(cursor, list(of_table), key_id, search)
    return search


def _search_table(cursor: Any, columns: list[_SearchedColumn], key_id: int, search: TokenSearch) -> None:
    readable = [column for column in columns if column.may_read]
    first = columns[0]
    name = first.table if first.is_visible else f"{first.schema}.{first.table}"
    if len(readable) < len(columns) and not first.names_keys:
        is_masked = any(column.is_masked_name and not column.may_read for column in columns)
        (search.unreadable if is_masked else search.unknown).append(name)
    if not readable:
        return
    query = sql.SQL("SELECT count(*) FROM {} WHERE {} AND ({})").format(
        sql.Identifier(first.schema, first.table),
        # The rows that name the key are counted without a search.
        sql.SQL("key_id IS DISTINCT FROM {}" if first.names_keys else "true").format(sql.Literal(key_id)),
        sql.SQL(" OR ").join(_holds_token(column, key_id) for column in readable),
    )
    cursor.execute(query)
    ((rows,),) = cursor.fetchall()
    if rows:
        search.found.append(KeyUsage(name, {key_id: rows}))


def _prefix(key_id: int) -> bytes:
    return b"\x01" + key_id.to_bytes(4, "big")


def _holds_token(column: _SearchedColumn, key_id: int) -> sql.Composable:
    characters = base64.urlsafe_b64encode(_prefix(key_id))[:_FIXED_CHARACTERS]
    name = sql.Identifier(column.name)
    if not column.is_bytes:
        return sql.SQL("strpos({}::text, {}) > 0").format(name, sql.Literal(characters.decode()))
    forms = [beginning.hex() for beginning in (_prefix(key_id), characters)]
    search = "strpos({}::text, {}) > 0" if column.is_array else "position(decode({1}, 'hex') IN {0}) > 0"
    return sql.SQL(" OR ").join(sql.SQL(search).format(name, sql.Literal(form)) for form in forms)
