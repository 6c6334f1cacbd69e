"""A connection to Postgres for a few questions, with a deadline for the answers."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator

from maskline.postgres.connection import Connection, connect, map_postgres_errors
from maskline.postgres.deadlines import DEADLINES
from maskline.postgres.dsn import PostgresDsn


@contextlib.contextmanager
def bounded_connection(dsn: PostgresDsn, seconds: float, what: str) -> Iterator[Connection]:
    """Connect to Postgres for as long as the block runs.

    Args:
        dsn: The database.
        seconds: How long connecting may take, and how long the block may take.
        what: What is asked for, for the log: ``"a readiness check"``.

    Yields:
        The connection, closed when the block ends.

    Raises:
        DatabaseError: The login is refused, or a statement of the block failed for good.
        DatabaseUnavailableError: Nobody answers, or not in time.
    """
    not_stopping = threading.Event()
    connection = DEADLINES.connect(functools.partial(connect, dsn), not_stopping, seconds)
    try:
        with map_postgres_errors(), DEADLINES.within(connection, seconds, what, not_stopping):
            yield connection
    finally:
        connection.close()
