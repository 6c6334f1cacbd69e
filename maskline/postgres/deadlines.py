"""Deadlines on the client's side: no wait for Postgres is without one.

The server's own time-outs end what the server knows of. They do not end a wait for a standby, nor a connection whose
other end acknowledges every packet and never answers. Here the watchdog shuts the connection's socket down when its
time is over, and libpq reports a lost connection at once, over TLS, too.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

import psycopg

from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import Connect, Connection
from maskline.watchdog import WATCHDOG, Wait, Watchdog

CONNECT_SECONDS = 30.0

MAX_ATTEMPTS = 8
"""How many attempts to connect may be under way, those included that nobody waits for any more."""


class Deadlines:
    """Ends waits for Postgres that last too long. Thread-safe.

    Args:
        watchdog: Looks after them.
    """

    def __init__(self, watchdog: Watchdog = WATCHDOG) -> None:
        self._watchdog = watchdog
        self._slots = threading.BoundedSemaphore(MAX_ATTEMPTS)
        os.register_at_fork(after_in_child=self._forget_attempts)

    @contextlib.contextmanager
    def within(self, connection: Connection, seconds: float, what: str, stopping: threading.Event) -> Iterator[None]:
        """Run a block that waits for a connection, and shut the connection down if the block takes too long.

        Args:
            connection: The connection. It is of no more use once its time was over.
            seconds: The longest that the block may take; see `Watchdog.watching` for what a stop makes of it.
            what: What is waited for, for the log: ``"an insert"``.
            stopping: Set where the job was asked to stop.

        Raises:
            DatabaseUnavailableError: It took longer.
        """
        with _own_descriptor(connection) as descriptor:

            def shut_down() -> None:
                with contextlib.suppress(OSError):  # it was lost meanwhile
                    descriptor.shutdown(socket.SHUT_RDWR)

            with self._watchdog.watching(f"postgres: {what}", seconds, shut_down, stopping) as wait:
                try:
                    yield
                except psycopg.Error as error:
                    if wait.is_over:
                        raise self._too_long(wait) from error
                    raise

    def connect(self, connect: Connect, stopping: threading.Event, seconds: float = CONNECT_SECONDS) -> Connection:
        """Open a connection, and give up if that takes too long: a name server may hang before libpq's time-out starts.

        An attempt that was given up goes on in a thread of its own until libpq or the name server's client has enough.

        Args:
            connect: Opens it.
            stopping: Set where the job was asked to stop.
            seconds: The longest that it may take.

        Raises:
            MasklineError: What `connect` raised.
            DatabaseUnavailableError: It took longer, or too many attempts before it have not ended yet.
        """
        slots = self._slots
        if not slots.acquire(blocking=False):
            raise DatabaseUnavailableError(
                f"postgres: {MAX_ATTEMPTS} attempts to connect got no answer and have not ended"
            )
        attempt = _Attempt(connect, slots.release)
        with self._watchdog.watching("postgres: connecting", seconds, attempt.give_up, stopping) as wait:
            try:
                connection = attempt.result()
            except BaseException:
                attempt.give_up()  # a signal may have ended the wait
                raise
        if connection is None:
            raise self._too_long(wait)
        return connection

    def _too_long(self, wait: Wait) -> DatabaseUnavailableError:
        return DatabaseUnavailableError(f"{wait.what} got no answer in {self._watchdog.clock() - wait.began:.0f} s")

    def _forget_attempts(self) -> None:
        self._slots = threading.BoundedSemaphore(MAX_ATTEMPTS)


DEADLINES = Deadlines()
"""Those of this process."""


class _Attempt:
    """One attempt to connect, in a thread that may be left to itself.

    Args:
        connect: Opens the connection.
        when_ended: Called when the attempt has ended, whoever waited for it.
    """

    def __init__(self, connect: Connect, when_ended: Callable[[], None]) -> None:
        self._connect = connect
        self._when_ended = when_ended
        self._decided = threading.Event()
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
                is_wanted = not self._is_given_up
                if is_wanted:
                    self._connection = connection
            if not is_wanted:
                connection.close()
        finally:
            self._when_ended()
            self._decided.set()

    def give_up(self) -> None:
        """Leave it to itself; should it succeed after all, its connection is closed."""
        with self._lock:
            self._is_given_up = True
        self._decided.set()

    def result(self) -> Connection | None:
        """Wait for its end: a connection, or None where it was given up."""
        self._decided.wait()
        if self._failure is not None:
            raise self._failure
        return self._connection


@contextlib.contextmanager
def _own_descriptor(connection: Connection) -> Iterator[socket.socket]:
    """Open a second descriptor of a connection's socket.

    The connection's own may be closed, and its number be another file's, at any moment.

    Raises:
        DatabaseUnavailableError: This process has no descriptor left.
    """
    try:
        descriptor = socket.fromfd(connection.fileno(), socket.AF_UNSPEC, socket.SOCK_STREAM)
    except OSError as error:
        raise DatabaseUnavailableError(f"postgres: no file descriptor for its connection ({error.strerror})") from None
    with descriptor:
        yield descriptor
