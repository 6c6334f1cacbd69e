"""The log of every recovery of personal data, and of every erasure."""

from __future__ import annotations

from typing import Any

from maskline.errors import UsageError
from maskline.postgres.connection import Connection, map_postgres_errors


def record_access(
    connection: Connection, *, action: str, stream: str, column: str, row_count: int, reason: str
) -> None:
    """Enter a recovery into ``pii_access_log``, and commit. Call it before the first value is shown.

    Who and when are the server's word: a trigger stamps the role of the login and its own clock.

    Args:
        connection: A connection of the person who will see the values.
        action: The command.
        stream: The stream.
        column: The column whose values will be seen.
        row_count: How many.
        reason: Why, in the person's own words.

    Raises:
        UsageError: There is no reason.
        DatabaseError: The role may not write to the log, and so may not see a value.
    """
    with map_postgres_errors(), connection, connection.cursor() as cursor:
        enter_access(cursor, action=action, stream=stream, column=column, row_count=row_count, reason=reason)


def enter_access(cursor: Any, *, action: str, stream: str, column: str, row_count: int, reason: str) -> None:
    """Enter into ``pii_access_log`` what a transaction does, so that it is there if and only if that was done.

    Args:
        cursor: A cursor of the transaction.
        action: As for `record_access`, like all that follows.
        stream: The stream.
        column: The column.
        row_count: How many rows.
        reason: Why.

    Raises:
        UsageError: There is no reason.
    """
    if not reason.strip():
        raise UsageError("reason: missing; say why the values are needed")
    cursor.execute(
        "INSERT INTO pii_access_log (accessed_at, role_name, action, stream, column_name, row_count, reason)"
        " VALUES (now(), session_user, %s, %s, %s, %s, %s)",
        [action, stream, column, row_count, reason],
    )
