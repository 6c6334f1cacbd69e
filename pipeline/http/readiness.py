"""Whether the parts outside a job answered recently: what a readiness probe asks.

Each part is asked by a thread of its own, so that one which hangs keeps neither the others nor a probe waiting: what it
answered last grows old meanwhile, and then counts no more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping

import msgspec

from maskline.errors import MasklineError

ASK_SECONDS = 10.0
"""How long after an answer, or after a failure, a part is asked again."""

FRESH_SECONDS = 30.0
"""How long an answer counts beyond the time after which the part is asked again."""

logger = logging.getLogger(__name__)


class Part(msgspec.Struct, frozen=True):
    """A part outside the job.

    Attributes:
        ask: Returns once the part has answered, and raises where it did not. It has a deadline of its own.
        seconds: How long after an answer it is asked again.
    """

    ask: Callable[[], object]
    seconds: float = ASK_SECONDS


class PartStatus(msgspec.Struct, frozen=True):
    """What is known of a part.

    Attributes:
        is_ready: Whether it answered recently.
        seconds_since_answer: How long ago it last answered, or None if it never did.
        problem: Why it did not answer when it was last asked, or None where it did.
    """

    is_ready: bool
    seconds_since_answer: float | None
    problem: str | None


class Readiness:
    """Asks parts again and again while the ``with`` block runs.

    Args:
        parts: The parts by name.
        clock: Monotonic time in seconds.
    """

    def __init__(self, parts: Mapping[str, Part], clock: Callable[[], float] = time.monotonic) -> None:
        self._parts = dict(parts)
        self._clock = clock
        self._answered_at: dict[str, float] = {}
        self._problems: dict[str, str | None] = {}
        self._ended = threading.Event()

    def __enter__(self) -> Readiness:
        """Start asking."""
        for name in self._parts:
            threading.Thread(target=self._keep_asking, args=(name,), name=f"ready-{name}", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking; a call that waits for an answer now ends at the deadline of its part."""
        self._ended.set()

    def ask(self, name: str) -> bool:
        """Ask a part now, and return whether it answered.

        Args:
            name: The part.
        """
        try:
            self._parts[name].ask()
        except MasklineError as error:
            self._problems[name] = str(error)
            return False
        except Exception as error:  # a defect in a check is no reason to end a job
            logger.debug("asking %s failed", name, exc_info=True)
            self._problems[name] = f"{name}: {type(error).__name__}"
            return False
        self._problems[name] = None
        self._answered_at[name] = self._clock()
        return True

    def status(self) -> dict[str, PartStatus]:
        """Return what is known of each part, without asking it."""
        now = self._clock()
        return {name: self._status_of(name, part, now) for name, part in self._parts.items()}

    def is_ready(self) -> bool:
        """Return whether every part answered recently."""
        return all(status.is_ready for status in self.status().values())

    def _status_of(self, name: str, part: Part, now: float) -> PartStatus:
        answered_at = self._answered_at.get(name)
        age = None if answered_at is None else now - answered_at
        problem = self._problems.get(name)
        is_fresh = age is not None and age <= part.seconds + FRESH_SECONDS
        if problem is None and not is_fresh:
            problem = f"{name}: no answer yet" if age is None else f"{name}: no answer for {age:.0f} s"
        return PartStatus(is_fresh and problem is None, age, problem)

    def _keep_asking(self, name: str) -> None:
        while not self._ended.is_set():
            answered = self.ask(name)
            self._ended.wait(self._parts[name].seconds if answered else ASK_SECONDS)
