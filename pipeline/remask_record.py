"""The entries in pii_access_log that come before tokens are re-encrypted under another key."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Protocol

from maskline.postgres.access_log import record_access
from maskline.postgres.connection import Connect


class _Named(Protocol):
    @property
    def name(self) -> str: ...


def record_remask(
    connect: Connect, action: str, stream: str, columns: Iterable[_Named], row_count: int, reason: str
) -> None:
    """Enter a re-encryption, once for each of its columns.

    Args:
        connect: Opens a connection.
        action: What does it.
        stream: The stream's name.
        columns: The masked columns.
        row_count: How many rows are under older keys.
        reason: Why.

    Raises:
        DatabaseError: The role may not enter it.
        DatabaseUnavailableError: The database does not answer.
    """
    with contextlib.closing(connect()) as connection:
        for column in columns:
            record_access(
                connection, action=action, stream=stream, column=column.name, row_count=row_count, reason=reason
            )
