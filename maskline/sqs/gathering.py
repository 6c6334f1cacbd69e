"""How long messages gather in the queue until a micro-batch takes them."""

from __future__ import annotations


class Gathering:
    """The time of one micro-batch after another: when to take what has gathered, and when to end without the rest.

    Taking begins as long before a micro-batch's time is over as it took of late, and may last as long as that time.

    All moments are monotonic seconds.

    Args:
        seconds: The time of a micro-batch, from its first message on.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._until = 0.0
        self._taken_since: float | None = None
        self._answered_at = 0.0
        self._taking_seconds = 0.0

    def begin(self, first_came_at: float) -> None:
        """Begin a micro-batch, whose first message came at that moment."""
        self._until = first_came_at + self._seconds - self._taking_seconds

    def is_over(self, now: float) -> bool:
        """Return whether it is time to take what has gathered."""
        return now >= self._until

    def is_taken_for_too_long(self, now: float) -> bool:
        """Return whether the micro-batch has to end with what it has."""
        return now >= self._until + self._seconds

    def seconds_left(self, now: float) -> float:
        """Return how long it is until the next of these two moments."""
        left = self._until - now
        return left if left > 0 else left + self._seconds

    def take(self, now: float) -> None:
        """Note that taking what has gathered begins."""
        self._taken_since = now

    def note_answer(self, now: float) -> None:
        """Note that a receive was answered."""
        self._answered_at = now

    def end(self) -> None:
        """End the micro-batch, whose last answer tells how long taking took."""
        if self._taken_since is not None:
            took = min(max(0.0, self._answered_at - self._taken_since), self._seconds / 2)
            # At once where it takes longer, and slowly where it does not: nearly every micro-batch is to end in time.
            self._taking_seconds = max(took, self._taking_seconds + (took - self._taking_seconds) / 8)
            self._taken_since = None
