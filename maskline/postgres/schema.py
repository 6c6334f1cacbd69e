"""The schema's revision: what the database has, what the job needs, and the way from one to the other (Alembic)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2 import errorcodes

from maskline.errors import DatabaseError, MasklineError, UsageError
from maskline.postgres.connection import Connect
from maskline.postgres.failures import map_postgres_error
from maskline.postgres.revision import VERSION_TABLE

_ADVISORY_LOCK = 0x6D61736B
_SCRIPTS = Path(__file__).with_name("migrations")


class Schema:
    """The schema of one database.

    Args:
        connect: Opens a connection with the permissions of a table owner.
    """

    def __init__(self, connect: Connect) -> None:
        self._engine = sqlalchemy.create_engine(
            "postgresql+psycopg2://", creator=connect, poolclass=sqlalchemy.NullPool
        )

    def revision(self) -> str | None:
        """Return the database's revision, or None where `migrate` never ran.

        Raises:
            MasklineError: It cannot be read.
        """
        with _describing_errors(), self._engine.connect() as connection:
            return _revision(connection)

    def migrate(self, target: str = "head") -> tuple[str | None, str | None]:
        """Bring the database to a revision, up or down, in one transaction.

        Args:
            target: A revision, ``head``, or ``base`` (before the first).

        Returns:
            The revisions before and after.

        Raises:
            UsageError: There is no such revision.
            DatabaseError: A downgrade would lose data (the message lists what stands in the way), or a permission is
                missing.
            DatabaseUnavailableError: Nobody answers, or the table is in use; nothing was changed.
        """
        check_revision(target)
        with _describing_errors(), self._engine.begin() as connection:
            connection.execute(sqlalchemy.text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            before = _revision(connection)
            config = _config()
            config.attributes["connection"] = connection
            if _place(target) < _place(before or "base"):
                command.downgrade(config, target)
            else:
                command.upgrade(config, target)
            return before, _revision(connection)


def print_sql(current: str | None, target: str = "head") -> str:
    """Return the SQL that `Schema.migrate` would run.

    Args:
        current: The database's revision, or None.
        target: As in `Schema.migrate`.

    Raises:
        UsageError: There is no such revision.
    """
    check_revision(target)
    script = io.StringIO()
    config = _config(output=script)
    start = current or "base"
    if _place(target) < _place(start):
        command.downgrade(config, f"{start}:{target}", sql=True)
    elif _place(target) > _place(start):
        command.upgrade(config, f"{start}:{target}", sql=True)
    return script.getvalue()


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in scripts.walk_revisions()][::-1]


def check_revision(target: str) -> None:
    """Check that a revision exists.

    Raises:
        UsageError: It does not; the message lists those that do.
    """
    known = ["base", *revisions(), "head"]
    if target not in known:
        raise UsageError(f"revision {target!r} is not known; known: {', '.join(known)}")


def _revision(connection: sqlalchemy.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


@contextlib.contextmanager
def _describing_errors() -> Iterator[None]:
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _described(error) from None


def _place(revision: str) -> int:
    known = ["base", *revisions()]
    if revision not in [*known, "head"]:
        raise DatabaseError(f"postgres: the schema is at revision {revision}, which only a newer maskline knows")
    return len(known) - 1 if revision == "head" else known.index(revision)


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output) if output is not None else Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


def _described(error: sqlalchemy.exc.DBAPIError) -> MasklineError:
    """Pass on what a revision says in its own words, and translate the rest."""
    original = error.orig
    assert isinstance(original, psycopg2.Error), "psycopg2 is the only driver here"
    if original.pgcode == errorcodes.RAISE_EXCEPTION:
        diagnostics = original.diag
        return DatabaseError(f"postgres: {diagnostics.message_primary}. {diagnostics.message_hint}")
    meaning = map_postgres_error(original)
    return meaning if isinstance(meaning, MasklineError) else DatabaseError(f"postgres: {meaning}")
