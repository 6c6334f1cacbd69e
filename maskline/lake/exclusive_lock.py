"""The lock that has those who change the copies of a table take turns.

It spares two publishers the same work. No promise rests on it: a commit of the Delta table fails where another came
before it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import psycopg

from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import NO_TRANSACTION_TIMEOUTS, Connect, Connection, map_postgres_errors
from maskline.streams.definition import StreamDefinition

LOCK_SECONDS = 300.0
"""How long to wait for another publisher."""

_LOCK = 0x6C616B65
"""The space of advisory locks that it is in ("lake" in ASCII)."""

_POLL_SECONDS = 0.25


@contextlib.contextmanager
def exclusive_lock(
    connect: Connect,
    stream: StreamDefinition,
    what: str,
    stopping: threading.Event | None = None,
    seconds: float = LOCK_SECONDS,
) -> Iterator[bool]:
    """Wait until no other publisher does the same, and keep others waiting while the block runs.

    It is a lock of a transaction that stays open and has written and read nothing, so it holds no horizon back,
    works behind a pooler, and is gone with its connection. The wait is made of short questions, which signals end.

    Args:
        connect: Opens a connection.
        stream: The stream whose table it is.
        what: What is done alone, the name of a copy say.
        stopping: Ends the wait when set.
        seconds: The longest to wait.

    Yields:
        Whether the lock is held; not where `stopping` ended the wait.

    Raises:
        DatabaseUnavailableError: Another held it all the time; the message says who.
    """
    stopping = stopping or threading.Event()
    deadline = time.monotonic() + seconds
    with contextlib.closing(connect()) as connection:
        connection.autocommit = True  # what begins the transaction sets its time-outs aside at once
        key = f"{stream.table} {what}"
        with map_postgres_errors():
            while not (is_held := _try_lock(connection, key)) and not stopping.is_set():
                if time.monotonic() >= deadline:
                    holder = _holder(connection, key)
                    raise DatabaseUnavailableError(
                        f"postgres: another command is at work on the {what} copy of {stream.name}"
                        f"{holder}; waited {seconds:g} s"
                    )
                connection.rollback()  # a pooler lends the session to others meanwhile
                stopping.wait(_POLL_SECONDS)
        yield is_held
        with contextlib.suppress(psycopg.Error):
            connection.rollback()


def _try_lock(connection: Connection, key: str) -> bool:
    # Read committed: between two statements such a transaction holds no snapshot.
    tried = connection.execute(
        f"BEGIN ISOLATION LEVEL READ COMMITTED; {NO_TRANSACTION_TIMEOUTS};"
        " SELECT pg_try_advisory_xact_lock(%s, hashtext(%s))",
        [_LOCK, key],
    )
    ((is_held,),) = tried.fetchall()
    return bool(is_held)


def _holder(connection: Connection, key: str) -> str:
    holders = connection.execute(
        "SELECT format(' (session %%s of %%s, since %%s)', pid, usename, to_char(xact_start, 'HH24:MI:SS'))"
        " FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND classid = %s AND objid::bigint = hashtext(%s)::bigint & 4294967295"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [_LOCK, key],
    )
    return "".join(text for (text,) in holders)
