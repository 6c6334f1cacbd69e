"""The log of every recovery of personal data."""

from __future__ import annotations

from maskline.errors import UsageError
from maskline.postgres.connection import Connection, translating


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
    if not reason.strip():
        raise UsageError("reason: missing; say why the values are needed with --reason TEXT")
    with translating(), connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pii_access_log (accessed_at, role_name, action, stream, column_name, row_count, reason)"
            " VALUES (now(), session_user, %s, %s, %s, %s, %s)",
            [action, stream, column, row_count, reason],
        )
