"""The steps that a revision is made of. None makes anybody wait, and each can be taken again after a kill at any point.

*Short* steps take a lock that others wait behind; they give up after `LOCK_TIMEOUT_SECONDS` and try again, so that
nobody queues for long. *Alone* are statements that Postgres allows in no transaction, such as CREATE INDEX
CONCURRENTLY. A *pass* goes through a table in ranges of pages and commits each.

A step is run, or, for ``migrate --sql``, printed for psql.

Source: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

import contextlib
import functools
import logging
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from alembic import op
from psycopg import errors

from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import Connection

Progress = Callable[[int], AbstractContextManager[Callable[[int], None]]]
"""Shows how far a pass is: called with the rows that there are, yields what is called with the rows just done."""

LOCK_TIMEOUT_SECONDS = 0.3
LOCK_DEADLINE_SECONDS = 60.0
"""For how long a short step is tried again."""

ALONE_LOCK_TIMEOUT_SECONDS = 300
"""How long an index may wait for transactions that are older than it. Nobody waits behind it."""

PAGES_PER_BATCH = 200

STEP_MARK = "-- step: "
"""What each printed step begins with."""

_RETRIED = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)

SETTINGS = f"""
SET statement_timeout = 0;
SET lock_timeout = '{int(LOCK_TIMEOUT_SECONDS * 1000)}ms';
SET default_transaction_isolation = 'read committed';
SET default_transaction_read_only = off;
SET client_min_messages = warning;
SELECT set_config(name, setting, false)
FROM (VALUES ('transaction_timeout', '0'), ('client_connection_check_interval', '2s')) AS wanted (name, setting)
WHERE EXISTS (SELECT FROM pg_settings WHERE pg_settings.name = wanted.name);
"""  # noqa: S608 - built from constants
"""What a migration's session begins with, whatever the database or the role has set."""

_HOLDERS = """
    SELECT string_agg(format('session %s of %s (%s, since %s)', pid, coalesce(usename, backend_type), state,
                             to_char(xact_start, 'HH24:MI:SS')), ', ' ORDER BY xact_start)
    FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND xact_start IS NOT NULL AND datname = current_database()
"""

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def no_progress(_: int) -> Iterator[Callable[[int], None]]:
    """Show nothing."""
    yield lambda _: None


def short(name: str, *statements: str) -> None:
    """Run statements in one transaction, which has to take no longer than its locks.

    Args:
        name: What the step is called in the log.
        statements: Each without its last semicolon.
    """
    text = ";\n".join(statement.strip() for statement in statements) + ";"
    if _is_printed():
        transaction = "{}" if _attributes().get("is_one_transaction") else "BEGIN;\n{}\nCOMMIT;"
        _print(name, transaction.format(text))
        return
    _retry(name, lambda: _run(text))
    _log(name)


def each(name: str, query: str) -> None:
    """Run each statement that a query returns in a transaction of its own, as `short` does.

    Args:
        name: What the step is called in the log.
        query: Returns statements in its only column.
    """
    if _is_printed():
        _print(name, f"{query.strip()}\n\\gexec")
        return
    for (statement,) in _rows(query):
        _retry(name, functools.partial(_run, statement))
    _log(name)


def alone(name: str, query: str) -> None:
    """Run each statement that a query returns outside of a transaction, with time to wait for older transactions.

    Args:
        name: What the step is called in the log.
        query: Returns statements in its only column; asked again where one of them failed for a lock.
    """
    patient = f"SET lock_timeout = '{ALONE_LOCK_TIMEOUT_SECONDS}s'"
    hasty = f"SET lock_timeout = '{int(LOCK_TIMEOUT_SECONDS * 1000)}ms'"
    if _is_printed():
        _print(name, f"{patient};\n{query.strip()}\n\\gexec\n{hasty};")
        return

    def run_all() -> None:
        for (statement,) in _rows(query):
            _run(patient)
            try:
                _run(statement)
            finally:
                _run(hasty)

    _retry(name, run_all)
    _log(name)


def through_pages(name: str, query: str) -> None:
    """Go through tables in ranges of pages, each range in a transaction of its own.

    What is written after the step has begun it may miss: a trigger has to see to that.

    Args:
        name: What the step is called in the log.
        query: Returns tables, as regclass, each with the statement for a range, which has ``:first`` and ``:last`` for
            the first tuple of the range and the first behind it.
    """
    if _is_printed():
        _print(name, _printed_pass(query))
        return
    for table, statement in _rows(query):
        ((pages, rows),) = _rows(
            f"SELECT pg_relation_size({_literal(table)}::regclass) / current_setting('block_size')::bigint,"  # noqa: S608
            f" greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = {_literal(table)}::regclass"
        )
        _pass(name, statement, pages, rows)
    _log(name)


def _pass(name: str, statement: str, pages: int, rows: int) -> None:
    size = PAGES_PER_BATCH
    if _connection().info.server_version < 140000:
        size = max(size, pages // 20 + 1)  # without range scans of tuple ids, each range reads the whole table
    progress: Progress = _attributes().get("progress", no_progress)
    rows = rows or pages
    with progress(rows) as count:
        for first in range(0, pages + 1, size):
            batch = statement.replace(":first", f"'({first},0)'").replace(":last", f"'({first + size},0)'")
            _retry(name, functools.partial(_run, batch))
            done = min(first + size, pages)
            count(rows * done // max(pages, 1) - rows * first // max(pages, 1))
            logger.debug("migrate: %s: a batch", name)


def _printed_pass(query: str) -> str:
    return f"""
DO $pass$
DECLARE
    passed record;
    first bigint;
BEGIN
    FOR passed IN SELECT * FROM ({query}) AS passed (relation, statement) LOOP
        first := 0;
        WHILE first <= pg_relation_size(passed.relation) / current_setting('block_size')::bigint LOOP
            EXECUTE replace(replace(passed.statement,
                ':first', format('''(%s,0)''', first)), ':last', format('''(%s,0)''', first + {PAGES_PER_BATCH}));
            COMMIT;
            first := first + {PAGES_PER_BATCH};
        END LOOP;
    END LOOP;
END $pass$;"""  # noqa: S608 - built from constants


def _retry(name: str, attempt: Callable[[], None]) -> None:
    deadline = time.monotonic() + _attributes().get("lock_deadline_seconds", LOCK_DEADLINE_SECONDS)
    while True:
        try:
            return attempt()
        except _RETRIED as error:
            if time.monotonic() >= deadline or not _connection().autocommit:
                raise _locked(name, error) from None
            logger.debug("migrate: %s: locked, trying again", name)
            time.sleep(random.uniform(0.1, 0.5))  # noqa: S311 - others get their turn


def _locked(name: str, error: psycopg.Error) -> DatabaseUnavailableError:
    holders = None
    if _connection().autocommit:
        ((holders,),) = _rows(_HOLDERS)
    by = f"; transactions under way: {holders}" if holders else ""
    return DatabaseUnavailableError(
        f"postgres: step {name!r} got no lock ({error.sqlstate}){by}; what was done so far stays, run migrate again"
    )


def _is_printed() -> bool:
    return bool(op.get_context().as_sql)


def _attributes() -> dict[str, Any]:
    config = op.get_context().config
    return {} if config is None else config.attributes


def _connection() -> Connection:
    connection = op.get_bind().connection.driver_connection
    assert isinstance(connection, Connection), "psycopg is the only driver here"
    return connection


def _run(text: str) -> None:
    with _connection().cursor() as cursor:
        cursor.execute(text)


def _rows(query: str) -> list[tuple[Any, ...]]:
    with _connection().cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _literal(table: str) -> str:
    return "'" + table.replace("'", "''") + "'"


def _log(name: str) -> None:
    logger.debug("migrate: %s", name)


def _print(name: str, text: str) -> None:
    op.get_context().impl.static_output(f"{STEP_MARK}{name}\n{text.strip()}\n")
