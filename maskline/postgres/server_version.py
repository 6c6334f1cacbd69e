"""Whether a server is new enough: ``xid8``, and triggers on partitioned tables, came with PostgreSQL 13.

Source: https://www.postgresql.org/docs/13/release-13.html
"""

from __future__ import annotations

from maskline.postgres.connection import Connection

MIN_SERVER_VERSION = 13
"""The oldest major version of PostgreSQL that maskline works with."""


def server_version_problems(connection: Connection) -> list[str]:
    """Compare a server's version with what maskline needs.

    Args:
        connection: A connection to it.

    Returns:
        What stands in the way, a sentence; empty if nothing does.
    """
    return problems_of_version(connection.info.server_version)


def problems_of_version(version: int) -> list[str]:
    """Compare a version with what maskline needs.

    Args:
        version: As libpq gives it: 150004 is 15.4, 90624 is 9.6.24.

    Returns:
        What stands in the way, a sentence; empty if nothing does.
    """
    if version >= MIN_SERVER_VERSION * 10_000:
        return []
    # Before 10, a version had three parts.
    name = f"{version // 10_000}.{version % 10_000}"
    if version < 100_000:
        name = f"{version // 10_000}.{version // 100 % 100}.{version % 100}"
    return [f"the server is PostgreSQL {name}, and maskline needs {MIN_SERVER_VERSION} or newer"]
