"""Watching everything that waits for another machine: a long wait is logged, and one that is too long is ended.

One thread a process looks at all waits, four times a second. It costs a wait a microsecond, and works whatever the
waiting thread is stuck in: libpq, libcurl, a name server.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator

LOOK_SECONDS = 0.25

SLOW_SECONDS = 5.0
"""After how long a wait is worth a line in the log."""

STOP_GRACE_SECONDS = 10.0
"""How long a wait that can be ended may still last once the job was asked to stop."""

logger = logging.getLogger(__name__)

_NEVER = threading.Event()


class Wait:
    """One wait for another machine.

    Attributes:
        what: What it is, for the log: ``"postgres: an insert"``.
        began: When, by the watchdog's clock.
        is_over: Whether it has lasted too long, and was ended.
    """

    def __init__(
        self,
        what: str,
        now: float,
        seconds: float,
        end: Callable[[], None],
        stopping: threading.Event,
        slow_seconds: float,
    ) -> None:
        self.what = what
        self.began = now
        self.is_over = False
        self._deadline = now + seconds
        self._end = end
        self._stopping = stopping
        self._slow_seconds = slow_seconds
        self._is_slow = False

    def look(self, now: float) -> bool:
        """End it if its time is over, and return whether it has just become slow. Called by one thread at a time."""
        if self._stopping.is_set():
            self._deadline = min(self._deadline, now + STOP_GRACE_SECONDS)
        became_slow = not self._is_slow and now - self.began >= self._slow_seconds
        self._is_slow = self._is_slow or became_slow
        if now >= self._deadline and not self.is_over:
            self.is_over = True
            self._end()
        return became_slow


class Watchdog:
    """Watches waits. Thread-safe; its thread starts with the first wait.

    Args:
        clock: Monotonic time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._waits: set[Wait] = set()
        self._thread: threading.Thread | None = None
        os.register_at_fork(after_in_child=self._forget)

    @contextlib.contextmanager
    def watching(
        self,
        what: str,
        seconds: float = float("inf"),
        end: Callable[[], None] = lambda: None,
        stopping: threading.Event = _NEVER,
        slow_seconds: float = SLOW_SECONDS,
    ) -> Iterator[Wait]:
        """Watch a block that waits.

        Args:
            what: What is waited for.
            seconds: The longest that it may take. Once `stopping` is set it is `STOP_GRACE_SECONDS` more at most.
            end: Ends the wait. It is called once, must not itself wait, and is never called after the block has ended.
            stopping: Set where the job was asked to stop.
            slow_seconds: After how long the log gets a line.
        """
        wait = Wait(what, self.clock(), seconds, end, stopping, slow_seconds)
        with self._lock:
            self._waits.add(wait)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._look_around, name="watchdog", daemon=True)
                self._thread.start()
        try:
            yield wait
        finally:
            with self._lock:
                self._waits.discard(wait)

    def slow_waits(self) -> list[str]:
        """Return what has been waited for since a second or longer, the longest wait first."""
        now = self.clock()
        with self._lock:
            waits = sorted(self._waits, key=lambda wait: wait.began)
        return [f"{wait.what} ({now - wait.began:.0f} s)" for wait in waits if now - wait.began >= 1]

    def _forget(self) -> None:
        """Begin anew; in a child that was forked the waits are its parent's, and so may a locked lock be."""
        self._lock = threading.Lock()
        self._waits = set()
        self._thread = None

    def _look_around(self) -> None:
        pause = threading.Event()
        while not pause.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        now = self.clock()
        slow = []
        with self._lock:
            for wait in self._waits:
                try:
                    if wait.look(now):
                        slow.append(wait)
                except Exception:  # the other waits have none but this thread
                    logger.exception("%s could not be ended", wait.what)
        for wait in slow:  # not under the lock: whoever reads the log may be slow, too
            logger.warning("%s has taken %.0f s so far", wait.what, now - wait.began)


WATCHDOG = Watchdog()
"""That of this process."""
