"""Deleting the messages whose outcome is committed, several requests at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import tenacity

from maskline.errors import QueueUnavailableError
from maskline.records import Receipt
from maskline.sqs.client import DeleteFailure, Queue, in_requests

CONCURRENT_DELETES = 8
ATTEMPTS = 4

logger = logging.getLogger(__name__)


class Deletion:
    """The deletion of some messages, under way.

    Args:
        receipts: Their deliveries.
        futures: Its parts under way, each to answer with what it could not delete.
    """

    def __init__(self, receipts: Sequence[Receipt], futures: Sequence[Future[list[DeleteFailure]]]) -> None:
        self.receipts = receipts
        self._futures = futures

    def failures(self) -> list[DeleteFailure]:
        """Wait until it is done, and return what was not deleted.

        Raises:
            QueueError: The queue is gone, or may no longer be deleted from.
        """
        failures = [failure for future in self._futures for failure in future.result()]
        if failures:
            codes = ", ".join(sorted({failure.code for failure in failures}))
            logger.warning(
                "%d of %d messages not deleted, they will come back: %s", len(failures), len(self.receipts), codes
            )
        return failures


class BatchDeleter:
    """Deletes any number of messages.

    A message that could not be deleted comes back after its visibility time-out, is found in the database and deleted
    then; so a failure is counted and logged, and stops nothing.

    Args:
        queue: The queue.
        stopping: When set, waits between tries end at once.
    """

    def __init__(self, queue: Queue, stopping: threading.Event) -> None:
        self._queue = queue
        self._threads = ThreadPoolExecutor(CONCURRENT_DELETES, thread_name_prefix="sqs-delete")
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_result(_has_passing_failures),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=2),
            sleep=tenacity.sleep_using_event(stopping),
            retry_error_callback=lambda attempt: attempt.outcome.result() if attempt.outcome else [],
        )

    def start(self, receipts: Sequence[Receipt]) -> Deletion:
        """Begin to delete messages, and return at once.

        Args:
            receipts: The deliveries to delete.
        """
        requests = list(in_requests(receipts))
        shares = [requests[place::CONCURRENT_DELETES] for place in range(min(CONCURRENT_DELETES, len(requests)))]
        return Deletion(receipts, [self._threads.submit(self._delete_requests, share) for share in shares])

    def close(self) -> None:
        """Finish what was begun, and let the threads go."""
        self._threads.shutdown()

    def _delete_requests(self, requests: Sequence[Sequence[Receipt]]) -> list[DeleteFailure]:
        return [failure for request in requests for failure in self._delete_request(request)]

    def _delete_request(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        remaining = list(receipts)
        final: list[DeleteFailure] = []

        def delete_remaining() -> list[DeleteFailure]:
            nonlocal remaining
            failures = self._delete_once(remaining)
            final.extend(failure for failure in failures if failure.is_final)
            passing = [failure for failure in failures if not failure.is_final]
            remaining = [failure.receipt for failure in passing]
            return passing

        return [*self._retry(delete_remaining), *final]

    def _delete_once(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        try:
            return self._queue.delete(receipts)
        except QueueUnavailableError as error:
            return [DeleteFailure(receipt, str(error), is_final=False) for receipt in receipts]


def _has_passing_failures(failures: list[DeleteFailure]) -> bool:
    return bool(failures)
