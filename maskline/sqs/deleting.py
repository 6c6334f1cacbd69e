"""Deleting the messages whose outcome is committed, several requests at a time."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import tenacity

from maskline.errors import QueueUnavailableError
from maskline.records import Receipt
from maskline.sqs.client import DeleteFailure, Queue, in_requests

CONCURRENT_DELETES = 8
ATTEMPTS = 4

logger = logging.getLogger(__name__)


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
        self._patiently = tenacity.Retrying(
            retry=tenacity.retry_if_result(_has_passing_failures),
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=0.1, max=2),
            sleep=tenacity.sleep_using_event(stopping),
            retry_error_callback=lambda attempt: attempt.outcome.result() if attempt.outcome else [],
        )

    def delete(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        """Delete messages and return those that were not deleted.

        Args:
            receipts: The deliveries to delete.

        Raises:
            QueueError: The queue is gone, or may no longer be deleted from.
        """
        requests = list(in_requests(receipts))
        if len(requests) == 1:
            answers = [self._delete_request(requests[0])]
        else:
            answers = list(self._threads.map(self._delete_request, requests))
        failures = [failure for answer in answers for failure in answer]
        if failures:
            codes = ", ".join(sorted({failure.code for failure in failures}))
            logger.warning(
                "%d of %d messages not deleted, they will come back: %s", len(failures), len(receipts), codes
            )
        return failures

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown()

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

        return [*self._patiently(delete_remaining), *final]

    def _delete_once(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        try:
            return self._queue.delete(receipts)
        except QueueUnavailableError as error:
            return [DeleteFailure(receipt, str(error), is_final=False) for receipt in receipts]


def _has_passing_failures(failures: list[DeleteFailure]) -> bool:
    return bool(failures)
