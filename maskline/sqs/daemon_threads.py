"""A few threads for calls that may hang: they end with the process, which does not wait for them.

A `concurrent.futures.ThreadPoolExecutor` is waited for when the interpreter ends, however long its calls take.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class DaemonThreads:
    """Calls functions in threads, which are started as they are needed. Thread-safe.

    Args:
        limit: The most threads; what is submitted beyond that waits.
        name: What the threads' names begin with.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._lock = threading.Lock()
        self._waiting: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._started = 0
        self._idle = 0

    def submit(self, function: Callable[[], None]) -> None:
        """Call a function soon. What it raises is logged."""
        with self._lock:
            self._waiting.put(function)
            if self._idle:
                self._idle -= 1
            elif self._started < self._limit:
                self._started += 1
                threading.Thread(target=self._work, name=f"{self._name}-{self._started}", daemon=True).start()

    def _work(self) -> None:
        while True:
            function = self._waiting.get()
            try:
                function()
            except Exception:
                logger.exception("a call in %s failed", threading.current_thread().name)
            with self._lock:
                self._idle += 1
