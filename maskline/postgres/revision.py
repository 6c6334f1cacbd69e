"""Which revision of the schema a database has, and which ones the job runs on; without Alembic, which migrates it."""

from __future__ import annotations

from psycopg import sql

from maskline.postgres.connection import Connection

OLDEST_REVISION = "0010"
"""The first revision that has what the job writes to."""

NEWEST_REVISION = "0017"
"""The newest revision in ``migrations``. The job runs on a newer one, too, where it finds what it writes to."""

VERSION_TABLE = "maskline_schema_version"
"""Where Alembic keeps the revision."""


def database_revision(connection: Connection) -> str | None:
    """Return a database's revision, or None where it was never migrated.

    Args:
        connection: A connection to it.

    Raises:
        psycopg.Error: It cannot be read.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass(%s) IS NOT NULL", [VERSION_TABLE])
        (was_migrated,) = cursor.fetchone() or (False,)
        if not was_migrated:
            return None
        cursor.execute(sql.SQL("SELECT version_num FROM {}").format(sql.Identifier(VERSION_TABLE)))
        row = cursor.fetchone()
    return str(row[0]) if row else None


def revision_problems(revision: str | None) -> list[str]:
    """Return what keeps the job from running on a revision.

    A revision that only a newer maskline knows is no problem by itself: it keeps what an older job writes to, or else
    that is missing, which `maskline.postgres.table_check` finds.

    Args:
        revision: What `database_revision` returned.

    Returns:
        A sentence, or nothing.
    """
    if revision is not None and revision >= OLDEST_REVISION:
        return []
    return [f"the schema is at revision {revision or 'none'}, the job needs {OLDEST_REVISION} or a later one"]
