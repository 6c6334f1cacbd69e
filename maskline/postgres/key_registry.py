"""The keys that a database knows: which may mask into it, and which jobs did so last.

A key enters ``maskline_keys`` before the first row is written under it, and stays there for ever. The statement that
writes rows reads it (see `maskline.postgres.statements`), and so holds a lock on it to the end of its transaction.
`set_key_state` takes the lock that excludes all others: it waits for every statement that may still write under the
key, and whatever begins later finds it disabled.

Source: https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

import msgspec
import psycopg

from maskline.errors import DatabaseError, Remedy
from maskline.postgres.arrays import array_literal
from maskline.postgres.connection import Connection, Cursor, map_postgres_errors, transaction
from maskline.postgres.failures import refused_keys_error

KEYS = "maskline_keys"
ENABLED, DISABLED, DESTROYED = "enabled", "disabled", "destroyed"

ENTERING_SECONDS = 60.0
"""How often a job says which keys it writes under."""

LOCK_WAIT_SECONDS = 60
"""How long disabling a key waits for the statements that are under way."""

_IS_KNOWN = "SELECT to_regclass('maskline_keys') IS NOT NULL"
_USE_KEYS = "SET LOCAL lock_timeout = '10s'; SELECT used_key, key_state FROM maskline_use_keys(%s::bigint[], %s)"
_SET_STATE = """
    INSERT INTO maskline_keys (key_id, state) VALUES (%s, %s) ON CONFLICT (key_id) DO UPDATE SET state = excluded.state
"""
_KEYS = "SELECT key_id, state, first_seen, last_written FROM maskline_keys ORDER BY first_seen, key_id"
_WRITERS = """
    SELECT job, last_written FROM maskline_key_writers
    WHERE key_id = %s AND last_written > clock_timestamp() - %s * interval '1 second' ORDER BY last_written DESC, job
"""


class KnownKey(msgspec.Struct, frozen=True):
    """What a database knows of one key.

    Attributes:
        key_id: Its id.
        state: ``enabled``, ``disabled`` or ``destroyed``.
        first_seen: Since when the database knows it; of a key that is older than that knowledge, when its newest row
            was sent.
        last_written: When a job last wrote under it, to the minute, or None.
    """

    key_id: int
    state: str
    first_seen: datetime
    last_written: datetime | None


class KeyWriter(msgspec.Struct, frozen=True):
    """A job that wrote under a key.

    Attributes:
        job: Its table, host, process and login.
        last_written: When it last did, to the minute.
    """

    job: str
    last_written: datetime


class KeyUse:
    """Tells a database which keys a job writes under: before it first does, and then every minute.

    Args:
        what: What the job writes, the table's name say.
        clock: Monotonic time in seconds.
    """

    def __init__(self, what: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._job = f"{what} from {socket.gethostname()}:{os.getpid()}"
        self._clock = clock
        self._connection: psycopg.Connection[Any] | None = None
        self._is_known = False
        self._entered: dict[int, float] = {}

    def enter(self, connection: psycopg.Connection[Any], key_ids: Collection[int]) -> bool:
        """Enter keys, and say whether the database guards what is written under them.

        Args:
            connection: A connection with the permissions of ``maskline_writer`` or ``maskline_remasker``.
            key_ids: The keys that the next statement writes under.

        Returns:
            False where the schema is older than that; nothing was entered.

        Raises:
            KeysetError: One of them is not enabled there.
            psycopg.Error: It cannot be asked.
        """
        if connection is not self._connection:
            ((self._is_known,),) = connection.execute(_IS_KNOWN).fetchall()
            self._connection = connection
            self._entered.clear()
        if not self._is_known:
            return False
        now = self._clock()
        due = [key_id for key_id in key_ids if now - self._entered.get(key_id, -ENTERING_SECONDS) >= ENTERING_SECONDS]
        if due:
            states = dict(connection.execute(_USE_KEYS, [array_literal(map(str, due)), self._job]).fetchall())
            refused = [f"key {key_id} is {state}" for key_id, state in sorted(states.items()) if state != ENABLED]
            if refused:
                raise refused_keys_error(" and ".join(refused))
            self._entered |= dict.fromkeys(due, now)
        return True


def check_key_is_enabled(cursor: Cursor, key_id: int) -> None:
    """Check a key in a transaction that will write under it; the key cannot be disabled before that transaction ends.

    Args:
        cursor: A cursor of the transaction, whose isolation level is read committed.
        key_id: The key.

    Raises:
        KeysetError: The key is not enabled.
        psycopg.Error: It cannot be asked.
    """
    cursor.execute("SELECT state FROM maskline_keys WHERE key_id = %s AND state <> 'enabled'", [key_id])
    for (state,) in cursor.fetchall():
        raise refused_keys_error(f"key {key_id} is {state}")


def known_keys(connection: Connection) -> list[KnownKey]:
    """Return the keys that a database knows, in the order in which it came to know them.

    Args:
        connection: A connection that may read ``maskline_keys``.

    Returns:
        Nothing where the schema is older than that table.

    Raises:
        psycopg.Error: It cannot be read.
    """
    ((has_keys,),) = connection.execute(_IS_KNOWN).fetchall()
    return [KnownKey(*row) for row in connection.execute(_KEYS).fetchall()] if has_keys else []


def recent_writers(connection: Connection, key_id: int, seconds: float) -> list[KeyWriter]:
    """Return the jobs that recently wrote under a key, the latest first.

    Args:
        connection: A connection with the permissions of ``maskline_remasker``.
        key_id: The key.
        seconds: How long ago they may have.

    Raises:
        MasklineError: It cannot be read.
    """
    with map_postgres_errors():
        return [KeyWriter(*row) for row in connection.execute(_WRITERS, [key_id, seconds]).fetchall()]


def set_key_state(connection: Connection, key_id: int, state: str) -> None:
    """Set the state of a key, once no statement is in progress that may still write under it.

    When it returns, what is committed under the key is visible to every later statement, and nothing more comes.

    Args:
        connection: A connection with the permissions of ``maskline_remasker``, not in a transaction.
        key_id: The key; one that the database does not know is entered.
        state: ``enabled``, ``disabled`` or ``destroyed``.

    Raises:
        DatabaseError: The schema is older than ``maskline_keys``, or a permission is missing.
        DatabaseUnavailableError: Statements are under way for longer than `LOCK_WAIT_SECONDS`.
    """
    with map_postgres_errors(), transaction(connection) as cursor:
        cursor.execute(
            "SET LOCAL TRANSACTION ISOLATION LEVEL READ COMMITTED, READ WRITE;"
            f" SET LOCAL lock_timeout = '{LOCK_WAIT_SECONDS}s'; SET LOCAL statement_timeout = 0"
        )
        cursor.execute(_IS_KNOWN)
        if cursor.fetchone() != (True,):
            raise DatabaseError("postgres: the database does not know its keys yet", remedy=Remedy.MIGRATE)
        cursor.execute("LOCK TABLE maskline_keys IN ACCESS EXCLUSIVE MODE")
        cursor.execute(_SET_STATE, [key_id, state])
