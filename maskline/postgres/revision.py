"""Which revision of the schema a database has, and which the job needs, without the weight of what migrates it."""

from __future__ import annotations

from psycopg2 import sql

from maskline.postgres.connection import Connection

OLDEST_REVISION = "0010"
"""The oldest revision that the job can run on. A newer one will do where it has what the job needs."""

VERSION_TABLE = "maskline_schema_version"
"""Where Alembic keeps the revision."""


def database_revision(connection: Connection) -> str | None:
    """Return a database's revision, or None where it was never migrated.

    Args:
        connection: A connection to it.

    Raises:
        psycopg2.Error: It cannot be read.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [VERSION_TABLE])
        (was_migrated,) = cursor.fetchone() or (False,)
        if not was_migrated:
            return None
        cursor.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSION_TABLE)))
        row = cursor.fetchone()
    return str(row[0]) if row else None
