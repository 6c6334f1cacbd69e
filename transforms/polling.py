"""The restriction of a poller: "keep polling", which no runner may split, and which ends when the poller says so.

Source: https://beam.apache.org/documentation/programming-guide/#splittable-dofns
"""

from __future__ import annotations

from typing import Any

import msgspec
from apache_beam.io.iobase import RestrictionProgress, RestrictionTracker
from apache_beam.transforms.core import RestrictionProvider


class Polling(msgspec.Struct, frozen=True):
    """Where a poller stands; all that is kept between its calls.

    Attributes:
        empty_polls: How many long polls in a row came back empty.
        empty_since: When the first of these did, in seconds since the epoch; 0 if none.
        finished: Whether polling has ended.
    """

    empty_polls: int = 0
    empty_since: float = 0
    finished: bool = False

    def after(self, received: int, now: float) -> Polling:
        """Return where the poller stands after a poll.

        Args:
            received: How many messages it brought.
            now: Seconds since the epoch.
        """
        if received:
            return Polling()
        return Polling(self.empty_polls + 1, self.empty_since or now)


FINISHED = Polling(finished=True)


class PollingTracker(RestrictionTracker):
    """Lets a poller go on or end, and a runner take the rest over, but never split it: that would be two pollers.

    Args:
        restriction: Where the poller stands.
    """

    def __init__(self, restriction: Polling) -> None:
        self._restriction = restriction
        self._handed_over = False

    def current_restriction(self) -> Polling:
        """Return where the poller stands."""
        return self._restriction

    def current_progress(self) -> RestrictionProgress:
        """Say that there is always more to do, until there is not."""
        return RestrictionProgress(fraction=1.0 if self._restriction.finished else 0.0)

    def try_claim(self, position: Polling) -> bool:
        """Move to a new state; False once the runner has taken the rest over."""
        if self._handed_over:
            return False
        self._restriction = position
        return True

    def try_split(self, fraction_of_remainder: float) -> tuple[Polling, Polling] | None:
        """Hand all of the rest over (a checkpoint, fraction 0), and refuse any other split."""
        if fraction_of_remainder != 0 or self._handed_over or self._restriction.finished:
            return None
        rest = self._restriction
        self._handed_over = True
        self._restriction = FINISHED
        return FINISHED, rest

    def check_done(self) -> None:
        """Raise where polling ended without having said so.

        Raises:
            ValueError: The poller neither finished nor handed the rest over.
        """
        if not self._restriction.finished:
            raise ValueError("the poller returned without finishing or deferring")

    def is_bounded(self) -> bool:
        """Say that nobody knows when polling ends."""
        return False


class PollingRestrictions(RestrictionProvider):
    """Gives every poller its restriction."""

    def initial_restriction(self, element: Any) -> Polling:
        """Start at the beginning."""
        return Polling()

    def create_tracker(self, restriction: Polling) -> PollingTracker:
        """Track one."""
        return PollingTracker(restriction)

    def restriction_size(self, element: Any, restriction: Polling) -> int:
        """Say that all pollers are alike."""
        return 1

    def truncate(self, element: Any, restriction: Polling) -> None:
        """End at once when the runner drains the job: what was received is on its way already."""
