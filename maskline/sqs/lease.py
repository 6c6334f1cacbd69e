"""Keeping messages invisible while their rows are still being written.

SQS makes a message visible again when its visibility time-out is over, whoever still works on it: during a database
outage every message would come back, be received again and soon be dead-lettered. A lease extends the time-out for as
long as the work lasts.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from maskline.errors import MasklineError, UsageError
from maskline.records import Receipt
from maskline.sqs.client import MAX_VISIBILITY_SECONDS, OpenQueue, Queue

logger = logging.getLogger(__name__)

MAX_JOIN_SECONDS = 5.0

Wait = Callable[[threading.Event, float], bool]
Clock = Callable[[], float]


class InFlight:
    """The deliveries that this process has received and not deleted yet. Thread-safe.

    It is kept only while `is_kept`, where receiving and deleting happen in one process; elsewhere nobody would take the
    deleted ones out again.
    """

    def __init__(self) -> None:
        self.is_kept = False
        self._lock = threading.Lock()
        self._receipts: dict[str, Receipt] = {}

    def add(self, receipts: Iterable[Receipt]) -> None:
        """Remember deliveries."""
        if self.is_kept:
            with self._lock:
                self._receipts.update((receipt.receipt_handle, receipt) for receipt in receipts)

    def remove(self, receipts: Iterable[Receipt]) -> None:
        """Forget deliveries."""
        with self._lock:
            for receipt in receipts:
                self._receipts.pop(receipt.receipt_handle, None)

    def including(self, receipts: Iterable[Receipt]) -> list[Receipt]:
        """Return these deliveries and all others in hand."""
        with self._lock:
            return list({**self._receipts, **{receipt.receipt_handle: receipt for receipt in receipts}}.values())

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self.is_kept = False
            self._receipts.clear()


IN_FLIGHT = InFlight()
"""What this process has in hand: while one micro-batch waits for the database, others of its bundle wait behind it."""


class _Progress:
    """When work got on last, and whether that is too long ago."""

    def __init__(self, max_stall_seconds: float, clock: Clock) -> None:
        self.max_stall_seconds = max_stall_seconds
        self._clock = clock
        self._made_at = clock()

    def made(self) -> None:
        self._made_at = self._clock()

    def has_stalled(self) -> bool:
        return self._clock() - self._made_at > self.max_stall_seconds


class VisibilityLease:
    """Extends the visibility time-out of the messages in hand. Cheap when the work is quick: it does nothing then.

    It can be pickled until it is first used, so a transform may carry it to its worker.

    Args:
        open_queue: Opens the queue, on first use.
        visibility_seconds: The time-out that the messages were received with, and that each extension asks for.
        wait: Waits for an event so many seconds and says whether it was set; a test passes its own.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        open_queue: OpenQueue,
        visibility_seconds: int,
        wait: Wait = threading.Event.wait,
        clock: Clock = time.monotonic,
    ) -> None:
        if not 1 <= visibility_seconds <= MAX_VISIBILITY_SECONDS:
            raise UsageError(f"visibility_seconds is {visibility_seconds}; SQS takes 1 to 43200")
        self._open_queue = open_queue
        self._visibility_seconds = visibility_seconds
        self._wait = wait
        self._clock = clock
        self._queue: Queue | None = None

    @contextlib.contextmanager
    def held(
        self, receipts: Sequence[Receipt], max_stall_seconds: float = float("inf")
    ) -> Iterator[Callable[[], None]]:
        """Keep deliveries, and all others that this process has in hand, invisible until the block ends.

        Yields what the block calls whenever its work has got on. Where it has not for `max_stall_seconds`, nothing is
        extended any more: a process that hangs must not keep messages from those that do not.

        Args:
            receipts: The deliveries.
            max_stall_seconds: The longest that the work may take to get on.
        """
        finished = threading.Event()
        progress = _Progress(max_stall_seconds, self._clock)
        extender = threading.Thread(
            target=self._extend_until, args=(finished, receipts, progress), name="visibility-lease", daemon=True
        )
        extender.start()
        try:
            yield progress.made
        finally:
            finished.set()
            # So that it does not hide again what is released next; but SQS may hang, too.
            extender.join(MAX_JOIN_SECONDS)

    def release(self, receipts: Sequence[Receipt]) -> None:
        """Make deliveries, and all others that this process has in hand, visible at once, for whoever receives next.

        Args:
            receipts: The deliveries.
        """
        self._set_visibility(IN_FLIGHT.including(receipts), 0)

    def _extend_until(self, finished: threading.Event, receipts: Sequence[Receipt], progress: _Progress) -> None:
        while not self._wait(finished, self._visibility_seconds / 3):
            deliveries = IN_FLIGHT.including(receipts)
            if progress.has_stalled():
                logger.warning(
                    "%d messages are left to whoever receives them next: nothing was written for %.0f s",
                    len(deliveries),
                    progress.max_stall_seconds,
                )
                return
            self._set_visibility(deliveries, self._visibility_seconds)

    def _set_visibility(self, receipts: Sequence[Receipt], seconds: int) -> None:
        try:
            if self._queue is None:
                self._queue = self._open_queue()
            failures = self._queue.extend(receipts, seconds)
        except MasklineError as error:
            logger.warning("visibility of %d messages not changed: %s", len(receipts), error)
            return
        if failures:
            codes = ", ".join(sorted({failure.code for failure in failures}))
            logger.warning("visibility of %d of %d messages not changed: %s", len(failures), len(receipts), codes)
