"""Reading the tokens of a column, any number of them, without holding them all."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql

from maskline.errors import UsageError
from maskline.postgres.connection import Connection, map_postgres_errors
from maskline.streams.definition import StreamDefinition

ROWS_PER_FETCH = 2000


def read_tokens(
    connection: Connection, stream: StreamDefinition, column: str, where: str | None
) -> Iterator[tuple[str, str]]:
    """Yield row and token of one column, in one read-only transaction.

    Of an array, each element comes by itself; of a document, its text.

    A row is named by its message id, or by its ctid where it is older than those.

    Args:
        connection: A connection of the reader's own, in no transaction.
        stream: The stream.
        column: The masked column.
        where: A condition in SQL on the stream's table, run with the permissions of the connection's role.

    Raises:
        UsageError: The condition has a semicolon, and so could be more than a condition.
        DatabaseError: The condition is not SQL, changes something, or the role may not read the table.
    """
    if where and ";" in where:
        raise UsageError("where: give one condition without a semicolon; in a text write chr(59)")
    connection.set_session(readonly=True)
    is_array = stream.column(column).type.is_array
    tokens = sql.SQL("unnest(array_remove({column}, NULL))" if is_array else "{column}::text")
    # The condition ends with its line, and so does a comment in it.
    query = sql.SQL(
        "SELECT coalesce(message_id::text, 'ctid ' || ctid::text), {tokens} FROM {table}"
        " WHERE {column} IS NOT NULL AND ({condition}\n)"
    ).format(
        tokens=tokens.format(column=sql.Identifier(column)),
        column=sql.Identifier(column),
        table=sql.Identifier(*stream.table_parts),
        condition=sql.SQL(where or "TRUE"),
    )
    with map_postgres_errors(), connection.cursor("tokens") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        cursor.execute(query)
        yield from cursor
