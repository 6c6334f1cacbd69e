"""Giving messages back to their queue that no stream takes, for another consumer of it."""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from typing import Any

import apache_beam as beam
from apache_beam.pvalue import PCollection
from apache_beam.transforms.display import DisplayDataItem

from maskline.errors import MasklineError, QueueError
from maskline.records import LeftMessage, Receipt
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.client import OpenQueue
from maskline.sqs.left_messages import hidden_seconds
from maskline.transforms.arguments import parse_queue
from maskline.transforms.metrics import JobCounter
from maskline.transforms.run_context import RunContext, run_context

logger = logging.getLogger(__name__)


class ReturnToSqs(beam.PTransform):
    """Gives messages back to their queue: neither written, rejected nor deleted.

    *Guarantee*: nothing happens to a message but that its visibility time-out ends, at once the first time that it
    comes, later from the second time on (see `hidden_seconds`), so that two consumers of a queue do not pass one
    message to and fro. What is still hidden when the pipeline ends is made visible then. A message that could not be
    given back comes back by itself when its time-out is over.

    Each time that a message is delivered counts as a receive: a queue with a redrive policy gives it up in the end.

    Args:
        queue: The queue the messages came from: its address, URL or name.
        context: The run, which a starter shares with its transforms; see `RunContext`.
    """

    def __init__(self, queue: QueueAddress | str, context: RunContext | None = None) -> None:
        super().__init__()
        self._queue = parse_queue(queue)
        self._context = context or run_context()

    def expand(self, batches: PCollection[list[LeftMessage]]) -> PCollection[None]:
        """Give each micro-batch back; nothing comes out."""
        return batches | "Give messages back" >> beam.ParDo(_Return(self._queue, self._context))

    def display_data(self) -> dict[str, Any]:
        """Show the queue."""
        return {"queue": DisplayDataItem(str(self._queue), label="Queue")}


class _Return(beam.DoFn):
    def __init__(self, address: QueueAddress, context: RunContext, open_queue: OpenQueue = SqsQueue.open) -> None:
        self._address = address
        self._context = context
        self._open_queue = open_queue
        self._left = JobCounter("left", context)
        self._hidden: dict[str, tuple[Receipt, float]] = {}

    def setup(self) -> None:
        with self._context.reporting_failures():
            self._queue = self._open_queue(self._address)

    def teardown(self) -> None:
        now = time.monotonic()
        self._set_visibility([receipt for receipt, until in self._hidden.values() if until > now], 0)
        self._hidden = {}

    def process(self, messages: list[LeftMessage]) -> None:
        by_seconds: defaultdict[int, list[Receipt]] = defaultdict(list)
        for message in messages:
            by_seconds[hidden_seconds(message.receive_count)].append(message.receipt)
        receipts = [message.receipt for message in messages]
        self._context.in_flight.remove(self._address, receipts)
        for seconds, given_back in by_seconds.items():
            self._set_visibility(given_back, seconds)
            self._remember(given_back, seconds)
        self._context.left.add(receipt.message_id for receipt in receipts)
        self._left.add(len(messages))

    def _remember(self, receipts: list[Receipt], seconds: int) -> None:
        now = time.monotonic()
        self._hidden = {handle: hidden for handle, hidden in self._hidden.items() if hidden[1] > now}
        if seconds:
            self._hidden.update((receipt.receipt_handle, (receipt, now + seconds)) for receipt in receipts)

    def _set_visibility(self, receipts: list[Receipt], seconds: int) -> None:
        try:
            failures = self._queue.extend(receipts, seconds)
        except QueueError:
            with self._context.reporting_failures():
                raise
        except MasklineError as error:
            logger.warning("%d messages not given back, they come back by themselves: %s", len(receipts), error)
            return
        if failures:
            codes = ", ".join(sorted({failure.code for failure in failures}))
            logger.warning(
                "%d of %d messages not given back, they come back by themselves: %s",
                len(failures),
                len(receipts),
                codes,
            )
