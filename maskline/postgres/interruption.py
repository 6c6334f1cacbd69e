"""Waits for Postgres that Ctrl-C ends at once, and that a server which has gone silent does not keep for ever.

They are for commands that a person runs. libpq's own waits go on when a signal comes, and Python's handler runs only
when they are over. psycopg2 lets a function of ours wait in their place, in all of the process: see `Deadlines` for
a job's.

Source: https://www.psycopg.org/docs/advanced.html#support-for-coroutine-libraries
"""

from __future__ import annotations

import contextlib
import functools
import select
import threading
import time
from collections.abc import Callable, Iterator

import psycopg2
from psycopg2 import extensions

from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import Connection
from maskline.postgres.deadlines import CONNECT_SECONDS, DEADLINES
from maskline.watchdog import WATCHDOG

PROBE_SECONDS = 60.0
"""After how long without an answer it is tried whether the server still answers anybody; a long query is no fault."""

SLOW_SECONDS = 30.0
SIGNAL_SECONDS = 0.5

_ESTABLISHED = (extensions.STATUS_READY, extensions.STATUS_BEGIN, extensions.STATUS_PREPARED)
_EVENTS = {extensions.POLL_READ: select.POLLIN, extensions.POLL_WRITE: select.POLLOUT}
_NEVER = threading.Event()


@contextlib.contextmanager
def interruptible_queries(
    probe_seconds: float = PROBE_SECONDS, connect_seconds: float = CONNECT_SECONDS
) -> Iterator[None]:
    """Let signals end every wait for Postgres of the main thread, while the block runs.

    The connection of a query that was interrupted is closed, which the server notices when it next sends a row. It is
    not asked to cancel: psycopg2 does so without a time-out, and keeps all threads from running meanwhile.

    Args:
        probe_seconds: After how long without an answer to try whether the server still answers anybody.
        connect_seconds: How long it may take to open a connection.
    """
    before = extensions.get_wait_callback()
    extensions.set_wait_callback(functools.partial(_wait, probe_seconds=probe_seconds, connect_seconds=connect_seconds))
    try:
        yield
    finally:
        extensions.set_wait_callback(before)


@contextlib.contextmanager
def libpq_waits() -> Iterator[None]:
    """Let libpq wait by itself while the block runs, for COPY, which psycopg2 can do in no other way.

    Signals and silence end such a wait only with the connection, so it is for a few bytes and a table of our own.
    """
    before = extensions.get_wait_callback()
    extensions.set_wait_callback(None)
    try:
        yield
    finally:
        extensions.set_wait_callback(before)


def _wait(connection: Connection, probe_seconds: float, connect_seconds: float) -> None:
    if connection.status not in _ESTABLISHED:
        _wait_until_ready(connection, connect_seconds, _fail_to_connect)
        return
    with WATCHDOG.watching("postgres: an answer", slow_seconds=SLOW_SECONDS):
        _wait_until_ready(connection, probe_seconds, lambda: _probe(connection))


def _wait_until_ready(connection: Connection, seconds: float, when_silent: Callable[[], None]) -> None:
    answered_at = time.monotonic()
    while (state := connection.poll()) != extensions.POLL_OK:
        is_silent = not _becomes_ready(connection.fileno(), _EVENTS[state], answered_at + seconds)
        if is_silent:
            when_silent()
        if is_silent or connection.status in _ESTABLISHED:
            answered_at = time.monotonic()


def _becomes_ready(descriptor: int, events: int, deadline: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, events)
    while (left := deadline - time.monotonic()) > 0:
        # Not in one go, for a signal may have come to another thread, and its handler wait for this one.
        if poll.poll(1000 * min(left, SIGNAL_SECONDS)):
            return True
    return False


def _fail_to_connect() -> None:
    raise psycopg2.OperationalError("timeout expired")


def _probe(connection: Connection) -> None:
    """Fail where the server does not answer a new connection either; whatever else it says to it is an answer."""
    try:
        DEADLINES.connect(functools.partial(psycopg2.connect, connection.dsn), _NEVER).close()
    except DatabaseUnavailableError as error:
        raise psycopg2.OperationalError(f"the server answers nobody any more ({error})") from None
    except psycopg2.OperationalError as error:
        if "timeout expired" in str(error):
            raise
