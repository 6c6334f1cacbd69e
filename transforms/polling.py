"""The restriction of a poller: it says "keep polling", cannot be split, and ends when the poller says so.

Source: https://beam.apache.org/documentation/programming-guide/#splittable-dofns
"""

from __future__ import annotations

from typing import Any

import msgspec
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.transforms.core import RestrictionProvider


class Polling(msgspec.Struct, frozen=True):
    """The state of a poller: all that is kept from one of its calls to the next.

    Attributes:
        empty_polls: How many long polls in a row came back empty.
        empty_since: When the first of these did, in seconds since the epoch; 0 if none.
        finished: Whether polling has ended.
    """

    empty_polls: int = 0
    empty_since: float = 0
    finished: bool = False

    def after(self, received: int, now: float) -> Polling:
        """Return the state after one more poll.

        Args:
            received: How many messages the poll brought.
            now: Seconds since the epoch.
        """
        if received:
            return Polling()
        return Polling(self.empty_polls + 1, self.empty_since or now)


FINISHED = Polling(finished=True)


class PollingTracker(RestrictionTracker):
    """Lets a poller go on or end, and a runner resume it elsewhere, but never split it: that would make two pollers.

    Args:
        restriction: The state of the poller.
    """

    def __init__(self, restriction: Polling) -> None:
        self._restriction = restriction
        self._handed_over = False

    def current_restriction(self) -> Polling:
        """Return the state of the poller."""
        return self._restriction

    def current_progress(self) -> RestrictionProgress:
        """Return 0 until polling has ended, and then 1: nobody knows how much is left."""
        return RestrictionProgress(fraction=1.0 if self._restriction.finished else 0.0)

    def try_claim(self, position: Polling) -> bool:
        """Move to a new state, and return True; return False once the runner has taken the poller over."""
        if self._handed_over:
            return False
        self._restriction = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Polling, Polling] | None:
        """Hand the poller over to the runner at a checkpoint (fraction 0); return None for any other split."""
        if fraction_of_remainder != 0 or self._handed_over or self._restriction.finished:
            return None
        rest = self._restriction
        self._handed_over = True
        self._restriction = FINISHED
        return FINISHED, rest

    def check_done(self) -> None:
        """Check that the poller finished or was handed over.

        Raises:
            ValueError: It returned without either.
        """
        if not self._restriction.finished:
            raise ValueError("the poller returned without finishing or deferring")

    def is_bounded(self) -> bool:
        """Return False: nobody knows when polling ends."""
        return False


class PollingRestrictions(RestrictionProvider):
    """Gives every poller its restriction."""

    def initial_restriction(self, element: Any) -> Polling:
        """Return the state of a poller that has not polled yet."""
        return Polling()

    def create_tracker(self, restriction: Polling) -> PollingTracker:
        """Return the tracker of a poller."""
        return PollingTracker(restriction)

    def restriction_size(self, element: Any, restriction: Polling) -> int:
        """Return 1: all pollers are alike."""
        return 1

    def truncate(self, element: Any, restriction: Polling) -> None:
        """Return None: polling ends at once when the runner drains the job. What was received is processed."""
