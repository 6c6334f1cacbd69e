"""Deleting the messages whose outcome is committed, many requests at a time."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import tenacity

from maskline.errors import QueueUnavailableError
from maskline.records import Receipt
from maskline.sqs.client import DeleteFailure, Queue, in_requests
from maskline.watchdog import WATCHDOG

ATTEMPTS = 4
STOP_SECONDS = 8.0
"""How long a deletion is waited for once the job stops."""

LOOK_SECONDS = 0.25
"""How soon a stop is seen by who waits for a deletion."""

NOT_IN_TIME = "NotAnsweredInTime"

logger = logging.getLogger(__name__)

_Request = tuple[Sequence[Receipt], Future[list[DeleteFailure]]]


class BatchDeleter:
    """Deletes messages, any number at a time.

    A message that could not be deleted comes back after its visibility time-out, is found in the database and deleted
    then; so a failure is counted and logged, and stops nothing.

    Args:
        queue: The queue.
        stopping: When set, waits between tries end at once, and those for answers after `STOP_SECONDS`.
        clock: Monotonic time in seconds.
    """

    def __init__(self, queue: Queue, stopping: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._queue = queue
        self._stopping = stopping
        self._clock = clock

    def start(self, receipts: Sequence[Receipt]) -> Deletion:
        """Start to delete messages, and return at once.

        Args:
            receipts: The deliveries to delete.
        """
        return Deletion(self._queue, receipts, self._stopping, self._clock)


class Deletion:
    """The deletion of some messages, in progress from the moment this object is made.

    Args:
        queue: The queue.
        receipts: Their deliveries.
        stopping: When set, the deletion is soon given up.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self, queue: Queue, receipts: Sequence[Receipt], stopping: threading.Event, clock: Callable[[], float]
    ) -> None:
        self.receipts = receipts
        self._queue = queue
        self._stopping = stopping
        self._clock = clock
        self._final: list[DeleteFailure] = []
        self._passing: list[DeleteFailure] = []
        self._give_up_at: float | None = None
        self._requests = self._submit(receipts)
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_result(bool),
            stop=lambda attempt: attempt.attempt_number >= ATTEMPTS or self._is_given_up(),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=2),
            sleep=tenacity.sleep_using_event(stopping),
            retry_error_callback=lambda attempt: attempt.outcome.result() if attempt.outcome else [],
        )

    def failures(self) -> list[DeleteFailure]:
        """Wait for the end of the deletion, and return the messages that were not deleted.

        Raises:
            QueueError: The queue is gone, or may no longer be deleted from.
        """
        with WATCHDOG.watching("deleting messages: an answer of SQS"):
            failures = [*self._retry(self._passing_failures), *self._final]
        if failures:
            codes = ", ".join(sorted({failure.code for failure in failures}))
            logger.warning(
                "%d of %d messages not deleted, they will come back: %s", len(failures), len(self.receipts), codes
            )
        return failures

    def _submit(self, receipts: Sequence[Receipt]) -> list[_Request]:
        return [(request, self._queue.submit_delete(request)) for request in in_requests(receipts)]

    def _passing_failures(self) -> list[DeleteFailure]:
        """Wait for the first requests, or make another try for what they left, and return what may pass later."""
        requests = self._requests or self._submit([failure.receipt for failure in self._passing])
        self._requests = []
        # The last is answered last, as a rule: who waits for it is woken once, and finds the others answered.
        failures = [failure for request in reversed(requests) for failure in self._outcome(*request)]
        self._final += [failure for failure in failures if failure.is_final]
        self._passing = [failure for failure in failures if not failure.is_final]
        return self._passing

    def _outcome(self, receipts: Sequence[Receipt], request: Future[list[DeleteFailure]]) -> list[DeleteFailure]:
        while True:
            try:
                return request.result(0 if self._is_given_up() else LOOK_SECONDS)
            except QueueUnavailableError as error:
                return [DeleteFailure(receipt, str(error), is_final=False) for receipt in receipts]
            except TimeoutError:
                if self._is_given_up():
                    return [DeleteFailure(receipt, NOT_IN_TIME, is_final=False) for receipt in receipts]

    def _is_given_up(self) -> bool:
        if self._give_up_at is None and self._stopping.is_set():
            self._give_up_at = self._clock() + STOP_SECONDS
        return self._give_up_at is not None and self._clock() >= self._give_up_at
