"""Reading the tokens of a column, any number of them, without keeping them all in memory."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from psycopg import errors, sql

from maskline.errors import ArgumentError
from maskline.postgres.connection import Connection, map_postgres_errors
from maskline.streams.definition import StreamDefinition

ROWS_PER_FETCH = 2000
_COLUMN_IN_COMPLAINT = re.compile(r"""["«„“](\w+)["»“”]|\w+\.(\w+)""")
"""The name in what Postgres says about a column, in whatever language: in quotes, or behind its table's."""


def read_tokens(
    connection: Connection, stream: StreamDefinition, column: str, where: str | None
) -> Iterator[tuple[str, str, bool]]:
    """Yield each row's token of one column, and whether the row names a key, in one read-only transaction.

    A row that names none is older than the job, which did not mask it.

    Of an array, each element comes by itself; of a document, its text.

    A row is named by its message id, or by its ctid where it is older than those.

    Args:
        connection: A connection of the reader's own, in no transaction.
        stream: The stream.
        column: The masked column.
        where: A condition in SQL on the stream's table, run with the permissions of the connection's role.

    Raises:
        ArgumentError: The condition has a semicolon, and so could be more than a condition, or is not one in SQL, or
            names a column that the table does not have.
        DatabaseError: The condition changes something, or the role may not read the table.
    """
    if where and ";" in where:
        raise ArgumentError("where: give one condition without a semicolon; in a text write chr(59)")
    connection.read_only = True
    is_array = stream.column(column).type.is_array
    tokens = sql.SQL("unnest(array_remove({column}, NULL))" if is_array else "{column}::text")
    # The condition ends with its line, and so does a comment in it.
    query = sql.SQL(
        "SELECT coalesce(message_id::text, 'ctid ' || ctid::text), {tokens}, key_id IS NOT NULL FROM {table}"
        " WHERE {column} IS NOT NULL AND ({condition}\n)"
    ).format(
        tokens=tokens.format(column=sql.Identifier(column)),
        column=sql.Identifier(column),
        table=sql.Identifier(*stream.table_parts),
        condition=sql.SQL(where or "TRUE"),
    )
    with map_postgres_errors():
        try:
            with connection.cursor("tokens") as cursor:
                cursor.itersize = ROWS_PER_FETCH
                cursor.execute(query)
                yield from cursor
        except errors.SyntaxError as error:
            if not where:
                raise
            raise ArgumentError(f"where: is not a condition in SQL: {error.diag.message_primary}") from None
        except errors.UndefinedColumn as error:
            connection.rollback()
            unknown = _unknown_column(connection, stream, where or "", error.diag.message_primary or "")
            raise unknown or error from None


def columns_of_table(connection: Connection, stream: StreamDefinition) -> list[str]:
    """Return the names of the columns of a stream's table, in their order; none where it is not there.

    Args:
        connection: A connection that may read the catalog, which every role may.
        stream: The stream.
    """
    with map_postgres_errors(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT attname::text FROM pg_catalog.pg_attribute"
            " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
            [".".join('"' + part.replace('"', '""') + '"' for part in stream.table_parts)],
        )
        return [name for (name,) in cursor.fetchall()]


def _unknown_column(
    connection: Connection, stream: StreamDefinition, where: str, complaint: str
) -> ArgumentError | None:
    """Return that the condition names a column which the table does not have, or None where it is not the condition."""
    columns = columns_of_table(connection, stream)
    missing = {name for groups in _COLUMN_IN_COMPLAINT.findall(complaint) for name in groups}
    named = [word for word in re.findall(r"\w+", where) if {word, word.lower()} & missing and word not in columns]
    if not named:
        return None
    nearest = difflib.get_close_matches(named[0], columns, n=1)
    remedy = (
        f"did you mean {nearest[0]}?" if nearest else f"those are: {', '.join(columns)}; a text stands in single quotes"
    )
    return ArgumentError(f"where: {named[0]!r} is not a column of {stream.table}; {remedy}")
