"""The share of a run's messages that is rejected, and why: a definition that fits nothing must not drain the queue."""

from __future__ import annotations

import threading
from collections import Counter as Counts

from maskline.errors import ArgumentError, TooManyRejectedError
from maskline.records import Rejection

MIN_MESSAGES = 20
"""How many messages must have been looked at before a share is a share."""

WINDOW_MESSAGES = 2_000
"""After so many messages each counts half: the share is that of the last thousand or two."""


class RejectionShare:
    """Counts the outcomes of a run's latest messages. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._messages = 0.0
        self._causes: Counts[tuple[str, str, str]] = Counts()

    def add_masked(self, count: int) -> None:
        """Count messages that were masked.

        Args:
            count: How many.
        """
        with self._lock:
            self._add(count)

    def add_rejected(self, rejection: Rejection, max_percent: float) -> None:
        """Count a message that is going to be rejected.

        Args:
            rejection: Its rejection.
            max_percent: The share that ends the run.

        Raises:
            TooManyRejectedError: So many of the latest messages are rejected. This one is not yet.
        """
        with self._lock:
            self._add(1)
            self._causes[rejection.stream, str(rejection.reason), rejection.detail] += 1
            rejected = self._causes.total()
            if self._messages < MIN_MESSAGES or rejected * 100 < self._messages * max_percent:
                return
            ((stream, reason, detail), count) = self._causes.most_common(1)[0]
            raise TooManyRejectedError(
                f"stream {stream}: {rejected:.0f} of {self._messages:.0f} messages cannot become rows, {count:.0f} of "
                f"them as {reason}: {detail}; the job stops at {max_percent:g} %, and the messages it has not rejected "
                "yet stay in the queue"
            )

    def _add(self, messages: int) -> None:
        if self._messages >= WINDOW_MESSAGES:
            self._messages /= 2
            self._causes = Counts({cause: count / 2 for cause, count in self._causes.items() if count >= 1})
        self._messages += messages


def check_max_percent(max_percent: float | None) -> float | None:
    """Return the share of rejected messages that ends a run, or None for no such share.

    Raises:
        ArgumentError: It is no percentage.
    """
    if max_percent is not None and not 0 < max_percent <= 100:
        raise ArgumentError(f"stop_when_rejected is {max_percent:g}; it must be more than 0 and at most 100 (percent)")
    return max_percent
