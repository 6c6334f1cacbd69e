"""Whether a run makes progress, and how old the messages are that it receives."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

AGE_WINDOW_SECONDS = 30.0
"""How long the age of a received message counts."""


class Movement:
    """When a run last made progress, and how old the messages are that it receives. Thread-safe.

    Progress is what an answer of the queue or the database proves: a poll that was answered, empty or not, a commit, a
    deletion. A retry or a log line is no progress.

    Args:
        clock: Monotonic time in seconds, which all processes of a machine share.
        wall_clock: Seconds since the epoch.

    Attributes:
        last_progress: When the run last made progress, by `clock`; at first, when this object was made.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, wall_clock: Callable[[], float] = time.time
    ) -> None:
        self._clock = clock
        self._wall_clock = wall_clock
        self._lock = threading.Lock()
        self._ages: deque[tuple[float, float]] = deque()
        self._last_poll: tuple[float, float] | None = None
        self.last_progress = clock()

    def mark_progress(self) -> None:
        """Note that a poll was answered, or that something was committed or deleted."""
        self.last_progress = self._clock()

    def mark_poll(self, oldest_sent_at: float | None) -> None:
        """Note that a poll was answered.

        Args:
            oldest_sent_at: When the queue accepted the oldest message that the poll brought, in seconds since the
                epoch; None if it brought none.
        """
        self.mark_progress()
        now = self._clock()
        age = 0.0 if oldest_sent_at is None else max(0.0, self._wall_clock() - oldest_sent_at)
        with self._lock:
            while self._ages and self._ages[-1][1] <= age:  # a younger poll with an older message outlives it
                self._ages.pop()
            self._ages.append((now, age))
            self._last_poll = (now, age)

    def oldest_message_seconds(self) -> float | None:
        """Return an estimate of the age of the queue's oldest message, in seconds; None before the first poll.

        SQS reports that age to CloudWatch alone. This is the greatest age at which a message was received within the
        last `AGE_WINDOW_SECONDS`. It grows with time while no poll follows one that brought messages, for example
        because the database does not take them. It is 0 where polls bring nothing.
        """
        now = self._clock()
        with self._lock:
            if self._last_poll is None:
                return None
            while self._ages and self._ages[0][0] < now - AGE_WINDOW_SECONDS:
                self._ages.popleft()
            polled_at, age = self._last_poll
            since_then = age + (now - polled_at) if age else 0.0
            return max(since_then, self._ages[0][1] if self._ages else 0.0)
