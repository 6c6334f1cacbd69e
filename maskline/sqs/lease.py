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
from collections.abc import Callable, Iterator, Sequence

from maskline.errors import ArgumentError, MasklineError
from maskline.records import Receipt
from maskline.sqs.address import QueueAddress
from maskline.sqs.client import MAX_VISIBILITY_SECONDS, OpenQueue, Queue, SqsQueue
from maskline.sqs.in_flight import InFlight

logger = logging.getLogger(__name__)

MAX_JOIN_SECONDS = 5.0

Wait = Callable[[threading.Event, float], bool]
Clock = Callable[[], float]

_NOTHING_ELSE = InFlight(is_tracked=False)


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
    """Extends the visibility time-out of messages in flight. It does nothing while the work is quick.

    While one micro-batch waits for the database, others of its bundle wait behind it; so the lease extends with it
    whatever else of its queue is in flight, and nothing of any other queue.

    It can be pickled until it is first used, so a transform may carry it to its worker.

    Args:
        queue: The queue that the messages came from. It is opened on first use.
        visibility_timeout_seconds: The time-out that they were received with, and that each extension asks for, 1 to
            43,200.
        open_queue: Opens the queue; a test passes its own.
        wait: Waits for an event so many seconds and says whether it was set; a test passes its own.
        clock: Monotonic time in seconds.

    Raises:
        ArgumentError: `visibility_timeout_seconds` is out of its range.
    """

    def __init__(
        self,
        queue: QueueAddress,
        visibility_timeout_seconds: int,
        open_queue: OpenQueue = SqsQueue.open,
        wait: Wait = threading.Event.wait,
        clock: Clock = time.monotonic,
    ) -> None:
        if not 1 <= visibility_timeout_seconds <= MAX_VISIBILITY_SECONDS:
            raise ArgumentError(f"visibility_timeout_seconds is {visibility_timeout_seconds}; SQS takes 1 to 43200")
        self.queue = queue
        self._visibility_timeout_seconds = visibility_timeout_seconds
        self._open_queue = open_queue
        self._wait = wait
        self._clock = clock
        self._opened_queue: Queue | None = None

    @contextlib.contextmanager
    def held(
        self,
        receipts: Sequence[Receipt],
        in_flight: InFlight | None = None,
        max_stall_seconds: float = float("inf"),
    ) -> Iterator[Callable[[], None]]:
        """Keep deliveries, and all others of the queue that are in flight, invisible until the block ends.

        Yields what the block calls whenever its work has got on. Where it has not for `max_stall_seconds`, nothing is
        extended any more: a process that hangs must not keep messages from those that do not.

        Args:
            receipts: The deliveries.
            in_flight: What else is in flight; nothing else if left out.
            max_stall_seconds: The longest that the work may take to get on.
        """
        finished = threading.Event()
        progress = _Progress(max_stall_seconds, self._clock)
        extender = threading.Thread(
            target=self._extend_until,
            args=(finished, receipts, in_flight or _NOTHING_ELSE, progress),
            name="visibility-lease",
            daemon=True,
        )
        extender.start()
        try:
            yield progress.made
        finally:
            finished.set()
            # So that it does not hide again what is released next; but SQS may hang, too.
            extender.join(MAX_JOIN_SECONDS)

    def release(self, receipts: Sequence[Receipt], in_flight: InFlight | None = None) -> None:
        """Make deliveries, and all others of the queue that are in flight, visible at once.

        Args:
            receipts: The deliveries.
            in_flight: What else is in flight; nothing else if left out. What was made visible is so no longer.
        """
        in_flight = in_flight or _NOTHING_ELSE
        deliveries = in_flight.including(self.queue, receipts)
        unchanged = {receipt.receipt_handle for receipt in self._set_visibility(deliveries, 0)}
        in_flight.remove(self.queue, [receipt for receipt in deliveries if receipt.receipt_handle not in unchanged])

    def _extend_until(
        self, finished: threading.Event, receipts: Sequence[Receipt], in_flight: InFlight, progress: _Progress
    ) -> None:
        while not self._wait(finished, self._visibility_timeout_seconds / 3):
            deliveries = in_flight.including(self.queue, receipts)
            if progress.has_stalled():
                logger.warning(
                    "%d messages are left to whoever receives them next: nothing was written for %.0f s",
                    len(deliveries),
                    progress.max_stall_seconds,
                )
                return
            self._set_visibility(deliveries, self._visibility_timeout_seconds)

    def _set_visibility(self, receipts: Sequence[Receipt], seconds: int) -> Sequence[Receipt]:
        """Set the visibility time-out of deliveries anew, and return those of which it is not."""
        try:
            if self._opened_queue is None:
                self._opened_queue = self._open_queue(self.queue)
            failures = self._opened_queue.extend(receipts, seconds)
        except MasklineError as error:
            logger.warning("visibility of %d messages not changed: %s", len(receipts), error)
            return receipts
        if failures:
            codes = ", ".join(sorted({failure.code for failure in failures}))
            logger.warning("visibility of %d of %d messages not changed: %s", len(failures), len(receipts), codes)
        return [failure.receipt for failure in failures]
