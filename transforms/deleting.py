"""Deleting messages from their queue, once their outcome is committed."""

from __future__ import annotations

import contextlib
from collections import deque
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.display import DisplayDataItem

from maskline.errors import QueueError
from maskline.records import Receipt
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.client import OpenQueue
from maskline.sqs.deleter import BatchDeleter, Deletion
from maskline.streams.payloads import S3Payloads
from maskline.transforms.arguments import check_context, parse_queue
from maskline.transforms.metrics import JobCounter
from maskline.transforms.run_context import RunContext

MAX_UNDER_WAY = 2
"""How many micro-batches are being deleted at the same time, at most."""


class DeleteFromSqs(beam.PTransform):
    """Deletes messages by the receipts of their deliveries.

    Put it behind what commits their outcome::

        committed, rejected = batches | WriteToPostgres("user_logins", "postgresql://writer@db/logins")
        committed | DeleteFromSqs("https://sqs.eu-central-1.amazonaws.com/123456789012/logins")

    A message that cannot be deleted is delivered again, and then counted as a duplicate of the row that it has. So a
    failure is counted (``delete_failures``) and logged, and does not stop the pipeline.

    Where a receipt names an object in S3, the object is deleted after its message, and only if that was. An object
    that cannot be deleted is counted (``payload_delete_failures``) and logged, and not tried again: give the bucket a
    lifecycle rule.

    Args:
        queue: The queue that the messages came from: its address, URL or name.
        branch: What the names of its metrics begin with, where a pipeline has several; see `JobCounter`.
        overlapping: Whether a bundle may end before its deletions have, so that they go on while the next micro-batch
            is received. They are waited for and counted before the next deletion, or at the end of a bundle that
            deletes nothing. It is for pipelines without an end: of others, the last deletions would not be counted.
        context: The run that the transform belongs to; see `RunContext`. Only a program that starts runs gives one.
        deletes_payloads: Whether receipts may name objects in S3; see `StreamDefinition.deletes_payloads`.

    Raises:
        ArgumentError: `queue` is no queue, or `context` is of another type.
    """

    def __init__(
        self,
        queue: QueueAddress | str,
        branch: str = "",
        overlapping: bool = False,
        context: RunContext | None = None,
        deletes_payloads: bool = False,
    ) -> None:
        super().__init__()
        self._queue = parse_queue(queue)
        self._branch = branch
        self._overlapping = overlapping
        self._context = check_context(context)
        self._deletes_payloads = deletes_payloads

    def expand(self, batches: PCollection[list[Receipt]]) -> PCollection[None]:
        """Delete each micro-batch, and return an empty PCollection."""
        return batches | "Delete messages" >> beam.ParDo(
            _Delete(
                self._queue,
                self._branch,
                self._overlapping,
                self._context,
                deletes_payloads=self._deletes_payloads,
            )
        )

    def display_data(self) -> dict[str, Any]:
        """Return the queue, for a runner's interface."""
        return {"queue": DisplayDataItem(str(self._queue), label="Queue")}


class _Delete(beam.DoFn):
    def __init__(
        self,
        address: QueueAddress,
        branch: str,
        overlapping: bool,
        context: RunContext,
        open_queue: OpenQueue = SqsQueue.open,
        deletes_payloads: bool = False,
    ) -> None:
        self._address = address
        self._deletes_payloads = deletes_payloads
        self._overlapping = overlapping
        self._context = context
        self._open_queue = open_queue
        self._under_way: deque[Deletion] = deque()
        self._deleted = JobCounter("deleted", context, branch)
        self._delete_failures = JobCounter("delete_failures", context, branch)
        self._payload_delete_failures = JobCounter("payload_delete_failures", context, branch)

    def setup(self) -> None:
        with self._context.reporting_failures():
            self._deleter = BatchDeleter(self._open_queue(self._address), self._context.stopping)
        self._payloads = S3Payloads() if self._deletes_payloads else None

    def teardown(self) -> None:
        with contextlib.suppress(QueueError):  # what was not deleted is delivered again
            self._finish_deletions()

    def start_bundle(self) -> None:
        self._deletes_in_this_bundle = False
        self._deleted.declare()
        self._delete_failures.declare()

    def process(self, receipts: list[Receipt]) -> None:
        self._finish_deletions(but=MAX_UNDER_WAY - 1)
        self._context.in_flight.remove(self._address, receipts)
        self._under_way.append(self._deleter.start(receipts))
        self._deletes_in_this_bundle = True

    def finish_bundle(self) -> None:
        if not (self._overlapping and self._deletes_in_this_bundle) or self._context.stopping.is_set():
            self._finish_deletions()

    def _finish_deletions(self, but: int = 0) -> None:
        """Wait for the oldest deletions, until so many are under way."""
        while len(self._under_way) > but:
            self._finish(self._under_way.popleft())

    def _finish(self, deletion: Deletion) -> None:
        with self._context.reporting_failures():
            failures = deletion.failures()
        deleted = len(deletion.receipts) - len(failures)
        self._deleted.add(deleted)
        if deleted:
            self._context.movement.mark_progress()
        self._delete_failures.add(len(failures))
        if self._payloads is not None:
            kept = {failure.receipt.receipt_handle for failure in failures}
            gone = [receipt for receipt in deletion.receipts if receipt.receipt_handle not in kept]
            not_deleted = self._payloads.delete([receipt.payload for receipt in gone if receipt.payload is not None])
            self._payload_delete_failures.add(not_deleted)
