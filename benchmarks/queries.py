"""Single values from the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import sql

from maskline.postgres.connection import Connection, Cursor


def value_of(connection: Connection, query: str | sql.SQL | sql.Composed, parameters: Sequence[object] = ()) -> Any:
    """Return the one value that a query gives.

    Args:
        connection: Where it runs.
        query: The query; it gives one row of one column.
        parameters: Its parameters.
    """
    with connection.cursor() as cursor:
        return fetch_value(cursor, query, parameters)


def fetch_value(cursor: Cursor, query: str | sql.SQL | sql.Composed, parameters: Sequence[object] = ()) -> Any:
    """Return the one value that a query gives, over a cursor that is used again.

    Args:
        cursor: The cursor.
        query: The query; it gives one row of one column.
        parameters: Its parameters.
    """
    cursor.execute(query, parameters)
    row = cursor.fetchone()
    assert row is not None, "the query gives one row"
    return row[0]
