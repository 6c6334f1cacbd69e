"""How often the tokens of a column occur, counted by the database."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import psycopg
from psycopg import sql

from maskline.masks.leakage import EquivalenceClass
from maskline.postgres.connection import Connection, Cursor, map_postgres_errors, transaction


class TokenFrequencies(msgspec.Struct, frozen=True):
    """How often the tokens of a column occur.

    Attributes:
        classes: All tokens, by how often they occur and how long they are.
        classes_beside: The same, told apart by the first of the columns beside, too, then by the first two, and so on.
        most_frequent: The most frequent tokens with their number of rows.
        null_rows: How many rows hold NULL.
        keys: How many keys made the tokens; equal values of different keys look different.
    """

    classes: list[EquivalenceClass]
    classes_beside: list[list[EquivalenceClass]]
    most_frequent: list[tuple[str, int]]
    null_rows: int
    keys: int


def token_frequencies(
    connection: Connection, table: str, column: str, top: int, beside: Sequence[str] = ()
) -> TokenFrequencies:
    """Count the tokens of a column.

    The database groups and sorts, on its disk where its memory does not suffice, so the table may be of any size.

    Args:
        connection: A connection of the reader's own that may read the table, in no transaction.
        table: The table, with its schema or found by the search path.
        column: The masked column.
        top: How many of the most frequent tokens to return.
        beside: Columns of the table that an attacker knows beside each value.

    Raises:
        DatabaseError: The table or a column is not there, or the role may not read it.
    """
    names = {"table": sql.Identifier(*table.split(".")), "column": sql.Identifier(column)}
    # One snapshot for all that is counted, while the job goes on writing.
    connection.isolation_level, connection.read_only = psycopg.IsolationLevel.REPEATABLE_READ, True
    with map_postgres_errors(), transaction(connection) as cursor:
        classes = _equivalence_classes(cursor, names, [])
        classes_beside = [_equivalence_classes(cursor, names, beside[: count + 1]) for count in range(len(beside))]
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
    return TokenFrequencies(classes, classes_beside, most_frequent, null_rows, keys)


def _equivalence_classes(
    cursor: Cursor, names: dict[str, sql.Identifier], beside: Sequence[str]
) -> list[EquivalenceClass]:
    """Count the tokens that nothing tells apart: neither their length nor in how many rows of each kind they stand.

    A kind is a combination of the columns beside, as text, which is what a reader of the table sees. Where there are
    none, a token's histogram is its number of rows.
    """
    kinds = sql.SQL("").join(sql.SQL('{}::text COLLATE "C", ').format(sql.Identifier(name)) for name in beside)
    order = sql.SQL(", ").join(sql.Identifier(f"kind_{number}") for number in range(len(beside)))
    named = sql.SQL("").join(
        sql.SQL('{}::text COLLATE "C" AS {}, ').format(sql.Identifier(name), sql.Identifier(f"kind_{number}"))
        for number, name in enumerate(beside)
    )
    # The hash is the histogram's stand-in: a token with a million kinds of rows would make a key of many megabytes.
    histogram = (
        sql.SQL("sha256(convert_to(array_agg(ROW({order}, rows) ORDER BY {order})::text, 'UTF8'))").format(order=order)
        if beside
        else sql.SQL("NULL")
    )
    cursor.execute(
        sql.SQL(
            "SELECT occurrences, characters, count(*) FROM ("
            "SELECT sum(rows)::bigint AS occurrences, length(token) AS characters, {histogram} AS histogram FROM ("
            "SELECT {named}{column} AS token, count(*) AS rows FROM {table}"
            " WHERE {column} IS NOT NULL GROUP BY {kinds}{column}) AS kind GROUP BY token) AS token"
            " GROUP BY occurrences, characters, histogram ORDER BY 1 DESC, 2, 3"
        ).format(histogram=histogram, named=named, kinds=kinds, **names)
    )
    return [EquivalenceClass(*row) for row in cursor]
