"""Deadlines on the client's side: no wait for Postgres is without one.

The server's own time-outs end what the server knows of. They do not end a wait for a standby, nor a connection whose
other end acknowledges every packet and never answers. Here one thread a process looks at all waits, four times a
second; one that is over its time has its socket shut down, and libpq reports a lost connection at once, over TLS, too.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator

import psycopg2

from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import Connect, Connection

LOOK_SECONDS = 0.25
SLOW_SECONDS = 5.0
"""After how long a wait is worth a line in the log."""

STOP_GRACE_SECONDS = 10.0
"""How long a wait may still last once the job was asked to stop."""

CONNECT_SECONDS = 30.0

logger = logging.getLogger(__name__)


class _Wait:
    def __init__(
        self, what: str, seconds: float, stopping: threading.Event, now: float, end: Callable[[], None]
    ) -> None:
        self.what = what
        self.began = now
        self.deadline = now + seconds
        self.is_over = False
        self._stopping = stopping
        self._end = end
        self._is_logged = False

    def look(self, now: float) -> None:
        if self.is_over:
            return
        if self._stopping.is_set():
            self.deadline = min(self.deadline, now + STOP_GRACE_SECONDS)
        if now - self.began >= SLOW_SECONDS and not self._is_logged:
            self._is_logged = True
            logger.warning("postgres: %s has taken %.0f s so far", self.what, now - self.began)
        if now >= self.deadline:
            self.is_over = True
            self._end()


class Deadlines:
    """Ends waits for Postgres that last too long. Thread-safe; its thread starts with the first wait.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waits: set[_Wait] = set()
        self._process_id: int | None = None

    @contextlib.contextmanager
    def within(self, connection: Connection, seconds: float, what: str, stopping: threading.Event) -> Iterator[None]:
        """Run a block that waits for a connection, and shut the connection down where it takes longer.

        Args:
            connection: The connection. It is of no more use once its time was over.
            seconds: The longest that the block may take. Once `stopping` is set it is `STOP_GRACE_SECONDS` at most.
            what: What is waited for, for the log: ``"an insert"``.
            stopping: Set where the job was asked to stop.

        Raises:
            DatabaseUnavailableError: It took longer.
        """
        # A descriptor of our own: the connection's may be closed, and its number be another file's, at any moment.
        descriptor = socket.socket(fileno=os.dup(connection.fileno()))
        wait = _Wait(what, seconds, stopping, self._clock(), lambda: _shut_down(descriptor))
        try:
            with self._watched(wait):
                yield
        except psycopg2.Error as error:
            if wait.is_over:
                raise _too_long(wait, self._clock()) from error
            raise
        finally:
            descriptor.close()

    def connect(self, connect: Connect, stopping: threading.Event, seconds: float = CONNECT_SECONDS) -> Connection:
        """Open a connection, and give it up where that takes longer: a name server may hang, too, before libpq counts.

        Args:
            connect: Opens it.
            stopping: Set where the job was asked to stop.
            seconds: The longest that it may take.

        Raises:
            MasklineError: What `connect` raised.
            DatabaseUnavailableError: It took longer.
        """
        attempt = _Attempt(connect)
        wait = _Wait("connecting", seconds, stopping, self._clock(), attempt.give_up)
        with self._watched(wait):
            connection = attempt.result()
        if connection is None:
            raise _too_long(wait, self._clock())
        return connection

    @contextlib.contextmanager
    def _watched(self, wait: _Wait) -> Iterator[None]:
        with self._lock:
            self._start_thread()
            self._waits.add(wait)
        try:
            yield
        finally:
            with self._lock:
                self._waits.discard(wait)

    def _start_thread(self) -> None:
        if self._process_id != os.getpid():  # a forked child has no threads but the one that forked
            self._process_id = os.getpid()
            threading.Thread(target=self._look_around, name="postgres-deadlines", daemon=True).start()

    def _look_around(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_SECONDS):
            now = self._clock()
            with self._lock:
                for wait in self._waits:
                    wait.look(now)


DEADLINES = Deadlines()
"""Those of this process."""


class _Attempt:
    """One attempt to connect, in a thread that may be left to itself."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._is_given_up = False
        self._connection: Connection | None = None
        self._failure: BaseException | None = None
        threading.Thread(target=self._run, name="postgres-connect", daemon=True).start()

    def _run(self) -> None:
        try:
            connection = self._connect()
        except BaseException as error:
            self._failure = error
        else:
            with self._lock:
                if self._is_given_up:
                    connection.close()
                else:
                    self._connection = connection
        self._ended.set()

    def give_up(self) -> None:
        """Leave it to itself; should it succeed after all, its connection is closed."""
        with self._lock:
            self._is_given_up = True
        self._ended.set()

    def result(self) -> Connection | None:
        """Wait for its end: a connection, or None where it was given up."""
        self._ended.wait()
        if self._failure is not None:
            raise self._failure
        return self._connection


def _shut_down(descriptor: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was lost meanwhile
        descriptor.shutdown(socket.SHUT_RDWR)


def _too_long(wait: _Wait, now: float) -> DatabaseUnavailableError:
    return DatabaseUnavailableError(f"postgres: {wait.what} got no answer in {now - wait.began:.0f} s")
