"""A table that nobody can write to, for tests of what waits meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maskline.postgres.connection import Connection
from tests.maskline.postgres.records import connected, run


@pytest.fixture
def locked(dsn: str) -> Iterator[Connection]:
    """A connection in a transaction that keeps everybody else from writing rows."""
    with connected(dsn, autocommit=False) as connection:
        run(connection, "LOCK TABLE user_logins")
        yield connection
