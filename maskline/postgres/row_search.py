"""The rows of a stream's table that hold one of some tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from psycopg import sql

from maskline.postgres.connection import Connection, map_postgres_errors
from maskline.streams.definition import StreamDefinition

ROWS_PER_FETCH = 500


def row_columns(stream: StreamDefinition) -> list[str]:
    """Return the columns of a row that is found: whose message it was and when, and then the stream's own."""
    return ["message_id", "sent_at", *(column.name for column in stream.columns)]


def find_rows(
    connection: Connection, stream: StreamDefinition, column: str, wanted: Iterable[tuple[int, str]]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows that hold a token that is wanted, in one read-only transaction, by number and then by time.

    Args:
        connection: A connection of the reader's own, in no transaction.
        stream: The stream.
        column: The masked column; of an array, any element counts.
        wanted: The tokens, each with the number of the value that it stands for.

    Yields:
        The number, and the columns that `row_columns` names.

    Raises:
        DatabaseError: The role may not read the table, or the table lacks a column.
    """
    connection.read_only = True
    is_array = stream.column(column).type.is_array
    query = sql.SQL(
        "SELECT wanted.number, {columns} FROM {table} AS target JOIN unnest(%s::integer[], %s::text[])"
        " AS wanted (number, token) ON wanted.token = {match} ORDER BY wanted.number, target.sent_at, target.message_id"
    ).format(
        columns=sql.SQL(", ").join(sql.Identifier("target", name) for name in row_columns(stream)),
        table=sql.Identifier(*stream.table_parts),
        match=sql.SQL("ANY (target.{})" if is_array else "target.{}").format(sql.Identifier(column)),
    )
    pairs = list(wanted)
    with map_postgres_errors(), connection.cursor("found_rows") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        cursor.execute(query, [[number for number, _ in pairs], [token for _, token in pairs]])
        yield from cursor
