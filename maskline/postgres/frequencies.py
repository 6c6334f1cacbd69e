"""How often the tokens of a column occur, counted by the database."""

from __future__ import annotations

import msgspec
from psycopg2 import sql

from maskline.masks.leakage import EquivalenceClass
from maskline.postgres.connection import Connection, map_postgres_errors


class TokenFrequencies(msgspec.Struct, frozen=True):
    """How often the tokens of a column occur.

    Attributes:
        classes: All tokens, by how often they occur and how long they are.
        most_frequent: The most frequent tokens with their number of rows.
        null_rows: How many rows hold NULL.
        keys: How many keys made the tokens; equal values of different keys look different.
    """

    classes: list[EquivalenceClass]
    most_frequent: list[tuple[str, int]]
    null_rows: int
    keys: int


def token_frequencies(connection: Connection, table: str, column: str, top: int) -> TokenFrequencies:
    """Count the tokens of a column.

    Args:
        connection: A connection of the reader's own that may read the table, in no transaction.
        table: The table, with its schema or found by the search path.
        column: The masked column.
        top: How many of the most frequent tokens to return.

    Raises:
        DatabaseError: The table or the column is not there, or the role may not read it.
    """
    names = {"table": sql.Identifier(*table.split(".")), "column": sql.Identifier(column)}
    # One snapshot for all that is counted, while the job goes on writing.
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    with map_postgres_errors(), connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT occurrences, characters, count(*) FROM ("
                "SELECT count(*) AS occurrences, length({column}) AS characters FROM {table}"
                " WHERE {column} IS NOT NULL GROUP BY {column}) AS token GROUP BY 1, 2 ORDER BY 1 DESC, 2"
            ).format(**names)
        )
        classes = [EquivalenceClass(*row) for row in cursor]
        cursor.execute(
            sql.SQL(
                "SELECT {column}, count(*) FROM {table} WHERE {column} IS NOT NULL"
                " GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT %s"
            ).format(**names),
            [top],
        )
        most_frequent = cursor.fetchall()
        cursor.execute(
            sql.SQL(
                "SELECT count(*) FILTER (WHERE {column} IS NULL),"
                " count(DISTINCT coalesce(key_id, -1)) FILTER (WHERE {column} IS NOT NULL) FROM {table}"
            ).format(**names)
        )
        ((null_rows, keys),) = cursor.fetchall()
    return TokenFrequencies(classes, most_frequent, null_rows, keys)
