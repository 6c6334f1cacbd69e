"""Whether a run still makes progress: what a liveness probe asks."""

from __future__ import annotations

import time
from collections.abc import Callable

from maskline.errors import ArgumentError
from maskline.pipeline.run_state import RunState


class Liveness:
    """Says whether a run has made progress recently.

    A message that was received, committed or deleted is progress, and so is a poll that came back empty. A retry or a
    log line is not.

    Args:
        state: Returns the state of the run.
        stall_seconds: How long it may make no progress, more than 0.
        clock: The clock of `RunState.last_progress`.

    Raises:
        ArgumentError: `stall_seconds` is out of range.
    """

    def __init__(
        self, state: Callable[[], RunState], stall_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not stall_seconds > 0:
            raise ArgumentError(f"stall_seconds is {stall_seconds}; it must be more than 0")
        self._state = state
        self.stall_seconds = stall_seconds
        self._clock = clock

    def seconds_since_progress(self) -> float:
        """Return for how long the run has made no progress, in seconds."""
        return max(0.0, self._clock() - self._state().last_progress)

    def is_live(self) -> bool:
        """Return whether the run has made progress recently."""
        return self.seconds_since_progress() < self.stall_seconds
