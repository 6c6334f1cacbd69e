"""Waits for Postgres that end at once at a Ctrl-C, and in time where a server no longer answers.

They are for commands that a person runs: a query may take long, and no deadline would be right. See `Deadlines` for a
job's.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg

from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import Connection, open_connection
from maskline.postgres.deadlines import CONNECT_SECONDS, Deadlines
from maskline.watchdog import WATCHDOG

PROBE_SECONDS = 60.0
"""After how long without an answer it is tried whether the server still answers anybody; a long query is no fault."""

SLOW_SECONDS = 30.0
CANCEL_SECONDS = 1.0
"""How long the server may take to be asked to give up a query."""

_NEVER = threading.Event()


@contextlib.contextmanager
def interruptible_queries(
    probe_seconds: float = PROBE_SECONDS, connect_seconds: float = CONNECT_SECONDS
) -> Iterator[None]:
    """Look after every wait for an answer of Postgres, while the block runs.

    A query that was interrupted is canceled, if the server can still be asked to, and its connection closed.

    Args:
        probe_seconds: After how long without an answer to try whether the server still answers anybody.
        connect_seconds: How long that may take.
    """
    before = Connection.wait_for_answer
    probe = functools.partial(_probe, Deadlines(), connect_seconds)
    Connection.wait_for_answer = functools.partial(_wait, probe, probe_seconds)
    try:
        yield
    finally:
        Connection.wait_for_answer = before


def _wait(
    probe: Callable[[Connection], None], probe_seconds: float, connection: Connection, wait: Callable[[float], Any]
) -> Any:
    with WATCHDOG.watching("postgres: an answer", slow_seconds=SLOW_SECONDS):
        while True:
            try:
                return wait(probe_seconds)
            except psycopg.errors._WaitTimeout:
                pass
            except KeyboardInterrupt:
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=CANCEL_SECONDS)
                connection.close()
                raise
            probe(connection)


def _probe(deadlines: Deadlines, seconds: float, connection: Connection) -> None:
    """Fail where the server does not answer a new connection either; whatever else it says to it is an answer."""
    try:
        deadlines.connect(functools.partial(open_connection, connection.info.dsn), _NEVER, seconds).close()
    except (DatabaseUnavailableError, psycopg.errors.ConnectionTimeout) as error:
        connection.close()
        raise psycopg.OperationalError(f"the server answers nobody any more ({error})") from None
    except psycopg.OperationalError:
        pass
