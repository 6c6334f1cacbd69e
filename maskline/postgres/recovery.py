"""Reading the tokens of a column, any number of them, without holding them all."""

from __future__ import annotations

from collections.abc import Iterator

from psycopg2 import sql

from maskline.postgres.connection import Connection, translating
from maskline.stream import StreamDefinition

ROWS_A_FETCH = 2000


class TokenReader:
    """Reads the tokens of one column in one read-only snapshot.

    Args:
        connection: A connection of the reader's own, in no transaction.
        stream: The stream.
        column: The masked column.
        where: A condition in SQL on the stream's table, run with the rights of the connection's role and read-only.
    """

    def __init__(self, connection: Connection, stream: StreamDefinition, column: str, where: str | None) -> None:
        self._connection = connection
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        # Two lines, so that a comment at the end of the condition ends with it.
        condition = sql.SQL("({}\n)").format(sql.SQL(where)) if where else sql.SQL("TRUE")
        self._source = sql.SQL("FROM {table} WHERE {column} IS NOT NULL AND {condition}").format(
            table=sql.Identifier(stream.table), column=sql.Identifier(column), condition=condition
        )
        self._column = sql.Identifier(column)

    def count(self) -> int:
        """Count the tokens that `read` will yield.

        Raises:
            DatabaseError: The condition is not SQL, or the role may not read the table.
        """
        with translating(), self._connection.cursor() as cursor:
            cursor.execute(sql.SQL("SELECT count(*) {source}").format(source=self._source))
            ((count,),) = cursor.fetchall()
        return int(count)

    def read(self) -> Iterator[tuple[str, str]]:
        """Yield row and token; a row is named by its message id, or by its ctid where it is older than those.

        Raises:
            DatabaseError: As `count`.
        """
        query = sql.SQL("SELECT coalesce(message_id::text, 'ctid ' || ctid::text), {column} {source}").format(
            column=self._column, source=self._source
        )
        with translating(), self._connection.cursor("tokens") as cursor:
            cursor.itersize = ROWS_A_FETCH
            cursor.execute(query)
            yield from cursor
