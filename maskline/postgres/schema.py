"""The schema's revision: what the database has, what the job needs, and the way from one to the other (Alembic)."""

from __future__ import annotations

import contextlib
import io
import logging
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import psycopg
import sqlalchemy
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg import errors

from maskline.errors import ArgumentError, DatabaseError, DatabaseUnavailableError, MasklineError, SetupError
from maskline.postgres.column_registry import compare_columns, enter_columns
from maskline.postgres.connection import Connect, Connection, transaction
from maskline.postgres.ddl import create_table
from maskline.postgres.failures import map_postgres_error
from maskline.postgres.migrations.catalog import IS_OWNERS_TABLE, WRITTEN_TABLES, leaves
from maskline.postgres.migrations.steps import (
    LOCK_DEADLINE_SECONDS,
    SETTINGS,
    STEP_MARK,
    Progress,
    no_progress,
)
from maskline.postgres.revision import NEWEST_REVISION, VERSION_TABLE
from maskline.postgres.server_version import server_version_problems
from maskline.postgres.token_checks import add_token_checks
from maskline.streams.definition import StreamDefinition

logger = logging.getLogger(__name__)

MAX_WAIT_SECONDS = 60.0
"""For how long a migration waits for another one of the same database."""

_EXPANDED = "0010"
_CONTRACTED = "0011"
"""The revision that takes from an older job what it needs, and the one before it, on which old and new ones run."""

_ADVISORY_LOCK = 0x6D61736B
_CLOSED = "the connection is closed"
_SCRIPTS = Path(__file__).with_name("migrations")
_LOCK_HOLDER = f"""
    SELECT format('session %s of %s, since %s', pid, usename, to_char(backend_start, 'YYYY-MM-DD HH24:MI:SS'))
    FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND objid = {_ADVISORY_LOCK} AND classid = 0 AND pg_locks.database = (
        SELECT oid FROM pg_database WHERE datname = current_database()
    )
"""  # noqa: S608 - built from constants
_SIZES = f"""
    SELECT root.oid::regclass::text, sum(greatest(reltuples, 0))::bigint, sum(pg_relation_size(leaf.oid))::bigint
    FROM (
        SELECT oid FROM ({WRITTEN_TABLES}) AS written
        UNION SELECT to_regclass('user_logins')::oid WHERE {IS_OWNERS_TABLE}
    ) AS root, LATERAL ({leaves("root.oid")}) AS leaf JOIN pg_class ON pg_class.oid = leaf.oid
    GROUP BY root.oid ORDER BY 1
"""  # noqa: S608 - built from constants
_IS_UNTOUCHED = f"""
    SELECT {IS_OWNERS_TABLE} AND NOT EXISTS (
        SELECT FROM pg_attribute
        WHERE attrelid = to_regclass('user_logins') AND attname = 'message_id' AND NOT attisdropped
    )
"""  # noqa: S608 - built from constants
"""Whether ``user_logins`` is as its owner makes it."""

_CONSTRAINTS = "SELECT conname FROM pg_constraint WHERE conrelid = to_regclass('{}')"
_IS_MISSING = "SELECT to_regclass('{}') IS NULL"
_IS_OTHER_TABLE = f"SELECT to_regclass('user_logins') IS NOT NULL AND NOT {IS_OWNERS_TABLE}"

PSQL_SETTINGS = f"""\
-- For psql, without --single-transaction. Where it stops, print it again with --postgres, and go on.
\\set ON_ERROR_STOP on
{SETTINGS.strip()}

"""


class TableSize(msgspec.Struct, frozen=True):
    """The size of a table that a migration goes through.

    Attributes:
        name: The table.
        rows: How many rows, as the planner estimates it; 0 where it never looked.
        size_bytes: How much on disk, without indexes.
    """

    name: str
    rows: int
    size_bytes: int


class Plan(msgspec.Struct, frozen=True):
    """What `Schema.migrate` would do.

    Attributes:
        before: The database's revision, or None.
        after: Where it would be led to, or None.
        steps: In how many steps.
        tables: The tables that it goes through.
        leaves_user_logins: Whether there is a ``user_logins`` of another shape than the stream's, which stays as it is.
        waits_for_older_jobs: Whether the last revision is left for another run: in the first, older jobs may go on.
    """

    before: str | None
    after: str | None
    steps: int
    tables: list[TableSize]
    leaves_user_logins: bool
    waits_for_older_jobs: bool


class Schema:
    """The schema of one database.

    *Guarantee*: going up, nobody who reads or writes a table waits for a migration for longer than a second, whatever
    the table's size; and a migration that was killed at any point goes on where it was when it is run again. It needs
    a session of its own, which PgBouncer in transaction mode does not give.

    *Warning*: going down below revision 0010 is one transaction, so that it is done or refused as a whole, and keeps
    others out of ``user_logins`` meanwhile: below 0008 for a moment, and below 0002 while the table is rewritten.

    Args:
        connect: Opens a connection with the permissions of a table owner.
        wait_seconds: For how long to wait for another migration of the database.
        lock_deadline_seconds: For how long a step tries to get its lock.
    """

    def __init__(
        self,
        connect: Connect,
        wait_seconds: float = MAX_WAIT_SECONDS,
        lock_deadline_seconds: float = LOCK_DEADLINE_SECONDS,
    ) -> None:
        self._engine = sqlalchemy.create_engine(
            "postgresql+psycopg://", creator=connect, poolclass=sqlalchemy.NullPool, isolation_level="AUTOCOMMIT"
        )
        self._wait_seconds = wait_seconds
        self._lock_deadline_seconds = lock_deadline_seconds

    def revision(self) -> str | None:
        """Return the database's revision, or None where `migrate` never ran.

        Raises:
            MasklineError: It cannot be read.
        """
        with _describing_errors(), self._engine.connect() as connection:
            return _revision(connection)

    def plan(self, target: str = "head") -> Plan:
        """Return what `migrate` would do.

        Args:
            target: A revision, ``head``, or ``base`` (before the first).

        Raises:
            ArgumentError: There is no such revision.
            MasklineError: The database cannot be read, or only a newer maskline knows its revision.
        """
        _check_revision(target)
        with _describing_errors(), self._engine.connect() as connection:
            driver = _driver(connection)
            before = _revision(connection)
            after = _reachable(driver, before, target)
            goes_up = _place(after) > _place(before or "base")
            tables = [TableSize(*row) for row in driver.execute(_SIZES).fetchall()] if goes_up else []
            ((leaves_user_logins,),) = driver.execute(_IS_OTHER_TABLE).fetchall()
        steps = print_sql(before, after).count(STEP_MARK) if before != after else 0
        return Plan(
            before=before,
            after=None if after == "base" else after,
            steps=steps,
            tables=[table for table in tables if table.size_bytes],
            leaves_user_logins=leaves_user_logins,
            waits_for_older_jobs=_place(after) < _place(target) and goes_up,
        )

    def migrate(self, target: str = "head", progress: Progress = no_progress) -> tuple[str | None, str | None]:
        """Bring the database to a revision, up or down.

        Where an older job may still write, it goes no further than the revision on which old and new ones run side by
        side; when it is called again there, it goes on.

        Args:
            target: A revision, ``head``, or ``base`` (before the first).
            progress: Shows how far a pass through a table is.

        Returns:
            The revisions before and after.

        Raises:
            ArgumentError: There is no such revision.
            DatabaseError: A downgrade would lose data (the message lists what stands in the way), a view or the like
                does, or a permission is missing.
            DatabaseUnavailableError: Nobody answers, another migration is under way, or a table is in use for too long.
                What was done stays, and the next call goes on from there.
        """
        _check_revision(target)
        with _describing_errors(), self._engine.connect() as connection:
            driver = _driver(connection)
            problems = server_version_problems(driver)
            if problems:
                raise SetupError(f"postgres: {problems[0]}")
            with self._alone(driver):
                before = _revision(connection)
                config = _config()
                config.attributes |= {
                    "connection": connection,
                    "progress": progress,
                    "lock_deadline_seconds": self._lock_deadline_seconds,
                }
                if _place(before or "base") > _place("0002") and driver.execute(_IS_UNTOUCHED).fetchall() == [(True,)]:
                    # It was made after the revisions that change it. All steps can be taken again.
                    command.stamp(config, "base")
                    before = None
                reachable = _reachable(driver, before, target)
                if _place(reachable) >= _place(before or "base"):
                    command.upgrade(config, reachable)
                else:
                    self._downgrade(connection, config, before or "base", reachable)
                return before, _revision(connection)

    def create_tables(self, streams: Sequence[StreamDefinition]) -> list[str]:
        """Make the tables of streams, each where there is none of its name, and enter how their columns are masked.

        A table that is there gets what keeps values in clear out of its masked columns from now on; not where its
        columns were masked otherwise than the stream says, which is logged.

        Args:
            streams: The streams.

        Returns:
            The tables that were made.

        Raises:
            DatabaseError: A permission is missing.
            DatabaseUnavailableError: Nobody answers.
        """
        made = []
        with _describing_errors(), self._engine.connect() as connection:
            driver = _driver(connection)
            with driver.cursor() as cursor:
                for stream in streams:
                    if driver.execute(_IS_MISSING.format(stream.table)).fetchall() == [(True,)]:
                        cursor.execute(create_table(stream))
                        made.append(stream.table)
                    problems = compare_columns(driver, stream).problems
                    if problems:
                        logger.warning("table %s got no checks of its tokens: %s", stream.table, "; ".join(problems))
                        continue
                    enter_columns(driver, stream)
                    self._add_checks(driver, stream)
        return made

    def print_tables(self, streams: Sequence[StreamDefinition]) -> str:
        """Return the statements of `create_tables`, for psql. A job enters by itself how columns are masked.

        Args:
            streams: The streams.

        Raises:
            MasklineError: The database cannot be read.
        """
        statements = []
        with _describing_errors(), self._engine.connect() as connection:
            driver = _driver(connection)
            for stream in streams:
                if driver.execute(_IS_MISSING.format(stream.table)).fetchall() == [(True,)]:
                    statements.append(create_table(stream))
                elif not compare_columns(driver, stream).problems:
                    statements += [f"{statement};\n" for statement in _missing_checks(driver, stream)]
        return "".join(statements)

    def _add_checks(self, driver: Connection, stream: StreamDefinition) -> None:
        deadline = time.monotonic() + self._lock_deadline_seconds
        for statement in _missing_checks(driver, stream):
            while True:
                try:
                    driver.execute(f"{SETTINGS}; {statement}; SELECT")
                    break
                except psycopg.errors.LockNotAvailable:
                    if time.monotonic() >= deadline:
                        raise
                time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - others get their turn

    def _downgrade(self, connection: sqlalchemy.Connection, config: Config, before: str, target: str) -> None:
        if _place(before) > _place(_EXPANDED):
            command.downgrade(config, max(target, _EXPANDED, key=_place))
        if _place(target) >= _place(_EXPANDED):
            return
        deadline = time.monotonic() + self._lock_deadline_seconds
        driver = _driver(connection)
        while True:
            driver.autocommit = False
            try:
                with transaction(driver):
                    command.downgrade(config, target)
                return
            except DatabaseUnavailableError:
                if time.monotonic() >= deadline:
                    raise
            finally:
                driver.autocommit = True
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - others get their turn

    @contextlib.contextmanager
    def _alone(self, driver: Connection) -> Iterator[None]:
        """Keep other migrations out: by a lock of the session, asked for again and again.

        Whoever waits inside one statement has a snapshot meanwhile, and CREATE INDEX CONCURRENTLY waits for all of
        those: the two would wait for each other.
        """
        with driver.cursor() as cursor:
            cursor.execute(SETTINGS)
        deadline = time.monotonic() + self._wait_seconds
        while not driver.execute(f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})").fetchall()[0][0]:
            if time.monotonic() >= deadline:
                holders = ", ".join(holder for (holder,) in driver.execute(_LOCK_HOLDER).fetchall())
                raise DatabaseUnavailableError(
                    f"postgres: another migration of this database is under way ({holders}); run migrate again when it "
                    "has ended"
                )
            time.sleep(0.2)
        try:
            yield
        finally:
            if not driver.closed:
                driver.execute(f"SELECT pg_advisory_unlock({_ADVISORY_LOCK})")


def print_sql(current: str | None, target: str = "head") -> str:
    """Return the steps of `Schema.migrate`, for psql. Some run outside of a transaction, and some print further steps.

    Args:
        current: The database's revision, or None.
        target: As in `Schema.migrate`.

    Raises:
        ArgumentError: There is no such revision.
    """
    _check_revision(target)
    start = current or "base"
    if _place(target) == _place(start):
        return ""
    if _place(target) > _place(start):
        return PSQL_SETTINGS + _printed(start, target)
    middle = start
    text = ""
    if _place(start) > _place(_EXPANDED):
        middle = max(target, _EXPANDED, key=_place)
        text = _printed(start, middle)
    if _place(target) < _place(middle):
        text += f"BEGIN;\n{_printed(middle, target, is_one_transaction=True)}COMMIT;\n"
    return PSQL_SETTINGS + text


def revisions() -> list[str]:
    """Return all revisions, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    return [script.revision for script in scripts.walk_revisions()][::-1]


def _check_revision(target: str) -> None:
    """Check that a revision exists.

    Raises:
        ArgumentError: It does not; the message lists those that do.
    """
    known = ["base", *revisions(), "head"]
    if target not in known:
        raise ArgumentError(f"revision {target!r} is not known; known: {', '.join(known)}")


def _printed(start: str, target: str, *, is_one_transaction: bool = False) -> str:
    script = io.StringIO()
    config = _config(output=script)
    config.attributes["is_one_transaction"] = is_one_transaction
    move = command.downgrade if _place(target) < _place(start) else command.upgrade
    move(config, f"{start}:{target}", sql=True)
    return script.getvalue().replace(f"CREATE TABLE {VERSION_TABLE}", f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE}")


def _reachable(driver: Connection, before: str | None, target: str) -> str:
    """Return the revision that one run may lead to: what an older job needs is not taken from it in the same one."""
    if _place(before or "base") < _place(_EXPANDED) < _place(_CONTRACTED) <= _place(target) and _has_job_rows(driver):
        return _EXPANDED
    return NEWEST_REVISION if target == "head" else target


def _has_job_rows(driver: Connection) -> bool:
    tables = [name for _, name in driver.execute(WRITTEN_TABLES).fetchall()]
    has_row = "SELECT EXISTS (SELECT FROM {} WHERE message_id IS NOT NULL)"
    return any(driver.execute(has_row.format(name)).fetchall()[0][0] for name in tables)


def _driver(connection: sqlalchemy.Connection) -> Connection:
    driver = connection.connection.driver_connection
    assert isinstance(driver, Connection), "psycopg is the only driver here"
    return driver


def _missing_checks(driver: Connection, stream: StreamDefinition) -> list[str]:
    return add_token_checks(stream, [name for (name,) in driver.execute(_CONSTRAINTS.format(stream.table)).fetchall()])


def _revision(connection: sqlalchemy.Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
    return context.get_current_revision()


@contextlib.contextmanager
def _describing_errors() -> Iterator[None]:
    try:
        yield
    except sqlalchemy.exc.DBAPIError as error:
        raise _described(_first_of(error.orig)) from None
    except psycopg.Error as error:
        raise _described(_first_of(error)) from None


def _first_of(error: BaseException | None) -> BaseException | None:
    """Return why a connection was lost; what is then tried on it fails next, and says only that it is closed."""
    while isinstance(error, psycopg.OperationalError) and str(error) == _CLOSED:
        before = error.__context__
        error = before.orig if isinstance(before, sqlalchemy.exc.DBAPIError) else before
    return error


def _place(revision: str) -> int:
    known = ["base", *revisions()]
    if revision not in [*known, "head"]:
        raise DatabaseError(
            f"postgres: the schema is at revision {revision}, which only a newer maskline knows; use that one"
        )
    return len(known) - 1 if revision == "head" else known.index(revision)


def _config(output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output) if output is not None else Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.set_main_option("path_separator", "os")
    return config


def _described(error: BaseException | None) -> MasklineError:
    """Pass on what a revision says in its own words, name what is in the way, and translate the rest."""
    assert isinstance(error, psycopg.Error), "psycopg is the only driver here"
    diagnostics = error.diag
    if error.sqlstate == errors.RaiseException.sqlstate and diagnostics.message_hint:
        return DatabaseError(f"postgres: {diagnostics.message_primary}. {diagnostics.message_hint}")
    if error.sqlstate in (errors.DependentObjectsStillExist.sqlstate, errors.FeatureNotSupported.sqlstate):
        # The detail names objects, and never a value.
        detail = "; ".join((diagnostics.message_detail or "").splitlines())
        return DatabaseError(
            f"postgres: {diagnostics.message_primary}: {detail}; drop it first, and make it anew after"
        )
    meaning = map_postgres_error(error)
    return meaning if isinstance(meaning, MasklineError) else DatabaseError(f"postgres: {meaning}")
