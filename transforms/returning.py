"""Giving messages that no stream takes back to their queue, for its other consumers."""

from __future__ import annotations

import contextlib
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
from maskline.transforms.arguments import check_context, parse_queue
from maskline.transforms.metrics import JobCounter
from maskline.transforms.run_context import RunContext

logger = logging.getLogger(__name__)


class ReturnToSqs(beam.PTransform):
    """Gives messages back to their queue, neither written nor rejected nor deleted.

    The messages are those that no stream takes::

        masked, rejected, left = messages | MaskPii(streams, keyset="file:keyset.json", unmatched="leave")
        left | MicroBatch(500) | ReturnToSqs("https://sqs.eu-central-1.amazonaws.com/123456789012/logins")

    *Guarantee*: only the visibility time-out of a message is changed. It ends at once when the message is received for
    the first time, and later each time after (see `hidden_seconds`), so that two consumers of a queue do not pass one
    message to and fro. Messages that are still hidden when the pipeline ends are made visible then. One that cannot be
    given back becomes visible when its time-out is over.

    *Warning*: every delivery counts as a receive, so a queue with a redrive policy moves such a message to its
    dead-letter queue in the end.

    Args:
        queue: The queue that the messages came from: its address, URL or name.
        context: The run that the transform belongs to; see `RunContext`. Only a program that starts runs gives one.

    Raises:
        ArgumentError: `queue` is no queue, or `context` is of another type.
    """

    def __init__(self, queue: QueueAddress | str, context: RunContext | None = None) -> None:
        super().__init__()
        self._queue = parse_queue(queue)
        self._context = check_context(context)

    def expand(self, batches: PCollection[list[LeftMessage]]) -> PCollection[None]:
        """Give each micro-batch back, and return an empty PCollection."""
        return batches | "Give messages back" >> beam.ParDo(_Return(self._queue, self._context))

    def display_data(self) -> dict[str, Any]:
        """Return the queue, for a runner's interface."""
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
        self._context.track_keeper(self)

    def teardown(self) -> None:
        self._context.close_keeper(self)

    def close(self) -> None:
        """Make visible what is still hidden."""
        hidden, self._hidden = self._hidden, {}
        now = time.monotonic()
        with contextlib.suppress(QueueError):  # what was not given back comes back by itself
            self._set_visibility([receipt for receipt, until in hidden.values() if until > now], 0)

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
