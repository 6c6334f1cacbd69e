"""The ends of the job at the queue: reading messages from SQS, and deleting them when their outcome is committed."""

from __future__ import annotations

import contextlib
import functools
import logging
import time
from collections.abc import Collection, Iterator
from typing import Any

import apache_beam as beam
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.pvalue import AsSingleton, PBegin, PCollection
from apache_beam.transforms.display import DisplayDataItem
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils import windowed_value
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue

from maskline.core_dumps import forbid_core_dumps
from maskline.errors import ArgumentError, QueueError, QueueUnavailableError
from maskline.records import Receipt, SqsMessage
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.client import OpenQueue
from maskline.sqs.deleter import BatchDeleter, Deletion
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings
from maskline.streams.payloads import S3Payloads
from maskline.transforms.arguments import parse_queue
from maskline.transforms.metrics import JobCounter
from maskline.transforms.polling import FINISHED, Polling, PollingRestrictions
from maskline.transforms.run_context import RunContext, run_context

EMPTY_POLLS_TO_END = 2
MAX_POLLS_AT_ONCE = 8
"""How many full micro-batches a poller takes in one bundle, which costs a runner 2 ms whatever is in it.

Only where a micro-batch is one element, which goes on to its commit before the next one is taken.
"""

IN_FLIGHT_GRACE_SECONDS = 10

_GLOBAL_WINDOW = (GlobalWindow(),)
"""Where a source's messages are; as a TimestampedValue, Beam would find that out anew for each."""

logger = logging.getLogger(__name__)


class ReadFromSqs(beam.PTransform):
    """Reads messages from an SQS queue, without end or until it is empty.

    *Guarantee*: it deletes nothing; a message whose receipt never reaches `DeleteFromSqs` comes back. *What is in
    flight* is bounded by pollers x two micro-batches: one is fetched ahead while another is worked on, and kept from
    others meanwhile; see `MicroBatchReceiver`.

    Elements carry the time at which the queue accepted them (SentTimestamp; of a micro-batch, its oldest message); the
    watermark is the oldest of those just emitted, and wall time while the queue is empty, so that a runner shows the
    true lag.

    Args:
        queue: The queue: its address, URL or name.
        receive: How micro-batches are received.
        pollers: How many poll at the same time, spread over the workers, 1 or more.
        until_empty: Whether to end once the queue is empty: consecutive long polls brought nothing, and SQS counts no
            message visible, in flight or delayed, but for those that this run left there. Delayed messages are waited
            for, and so are those that another consumer holds, until they must have come back; if they still have not,
            the log says how many were left.
        after: A side input that must be there before the first message is received.
        context: The run, which a starter shares with its transforms; see `RunContext`.
        attribute_names: The message attributes to ask for; see `StreamDefinition.attribute_names`, and
            `maskline.sqs.message_attributes.EVERY_ATTRIBUTE`.
        in_micro_batches: Whether an element is a micro-batch, a list of messages as they were received, and not a
            single message: a runner then does once for all of them what it does for an element.

    Raises:
        ArgumentError: A value is out of its range.
    """

    def __init__(
        self,
        queue: QueueAddress | str,
        receive: ReceiveSettings | None = None,
        pollers: int = 1,
        until_empty: bool = False,
        after: AsSingleton | None = None,
        context: RunContext | None = None,
        attribute_names: Collection[str] = (),
        in_micro_batches: bool = False,
    ) -> None:
        super().__init__()
        if pollers < 1:
            raise ArgumentError(f"pollers is {pollers}; it must be 1 or more")
        self._queue = parse_queue(queue)
        if receive is not None and not isinstance(receive, ReceiveSettings):
            raise ArgumentError(f"receive is a {type(receive).__name__}; give ReceiveSettings or None")
        self._receive = receive or ReceiveSettings()
        self._pollers = pollers
        self._until_empty = until_empty
        self._after = after
        self._context = context or run_context()
        self._attribute_names = frozenset(attribute_names)
        self._in_micro_batches = in_micro_batches

    def expand(self, pbegin: PBegin) -> PCollection[SqsMessage] | PCollection[list[SqsMessage]]:
        """Start the pollers."""
        open_queue = functools.partial(SqsQueue.open, attribute_names=self._attribute_names)
        polls_at_once = MAX_POLLS_AT_ONCE if self._in_micro_batches else 1
        poll = _Poll(self._queue, self._receive, self._until_empty, self._context, open_queue, polls_at_once)
        micro_batches = (
            pbegin
            | "Pollers" >> beam.Create(range(self._pollers))
            | "Spread" >> beam.Reshuffle()
            | "Poll" >> beam.ParDo(poll, *([self._after] if self._after else [])).with_output_types(list[SqsMessage])
        )
        if self._in_micro_batches:
            return micro_batches
        return micro_batches | "Each message" >> beam.ParDo(_EachMessage()).with_output_types(SqsMessage)

    def display_data(self) -> dict[str, Any]:
        """Show the queue, and how it is received from."""
        return {
            "queue": DisplayDataItem(str(self._queue), label="Queue"),
            "pollers": DisplayDataItem(self._pollers, label="Pollers"),
            "micro_batch_size": DisplayDataItem(self._receive.micro_batch_size, label="Micro-batch size"),
            "visibility_timeout_seconds": DisplayDataItem(
                self._receive.visibility_timeout_seconds, label="Visibility time-out (s)"
            ),
            "until_empty": DisplayDataItem(self._until_empty, label="Ends with the queue"),
        }


class _Poll(beam.DoFn):
    def __init__(
        self,
        address: QueueAddress,
        settings: ReceiveSettings,
        until_empty: bool,
        context: RunContext,
        open_queue: OpenQueue = SqsQueue.open,
        polls_at_once: int = 1,
    ) -> None:
        self._address = address
        self._settings = settings
        self._until_empty = until_empty
        self._context = context
        self._open_queue = open_queue
        self._polls_at_once = polls_at_once
        self._received = JobCounter("received", context)

    def setup(self) -> None:
        forbid_core_dumps()  # messages in clear are in this process's memory from here on
        with self._context.reporting_failures():
            self._queue = self._open_queue(self._address)
        self._receiver = MicroBatchReceiver(self._queue, self._settings, self._context.stopping)
        self._bundle_has_messages = False
        self._waits_for_others = False

    def teardown(self) -> None:
        self._receiver.close()

    def start_bundle(self) -> None:
        self._bundle_has_messages = False

    @beam.DoFn.unbounded_per_element()  # type: ignore[untyped-decorator]
    def process(
        self,
        poller: int,
        after: Any = None,
        tracker: Any = beam.DoFn.RestrictionParam(PollingRestrictions()),
        watermark: Any = beam.DoFn.WatermarkEstimatorParam(ManualWatermarkEstimator.default_provider()),
    ) -> Iterator[WindowedValue]:
        for _ in range(self._polls_at_once):
            polled_at = time.time()
            with self._context.reporting_failures():
                # Pollers of one bundle poll one after another, and the bundle's end is when messages are written.
                messages = self._receiver.receive(waits=not self._bundle_has_messages)
                left = self._context.left
                news = sum(message.message_id not in left for message in messages) if left else len(messages)
                state = tracker.current_restriction().after(news, polled_at)
                oldest = min(message.sent_at for message in messages).timestamp() if messages else None
                self._context.movement.mark_poll(oldest)
                is_finished = self._context.stopping.is_set() or (self._until_empty and self._is_drained(state))
            self._bundle_has_messages |= bool(messages)
            self._waits_for_others &= not messages
            self._received.add(len(messages))
            self._context.in_flight.add(
                self._address, (Receipt(message.message_id, message.receipt_handle) for message in messages)
            )
            if oldest is not None:
                yield windowed_value.create(messages, _microseconds(oldest), _GLOBAL_WINDOW)
            _advance(watermark, polled_at if oldest is None else oldest)
            if is_finished:
                tracker.try_claim(FINISHED)
                return
            if not tracker.try_claim(state):
                return
            if len(messages) < self._settings.micro_batch_size:
                break
        tracker.defer_remainder()

    def _is_drained(self, state: Polling) -> bool:
        if state.empty_polls < EMPTY_POLLS_TO_END:
            return False
        try:
            depth = self._queue.depth()
        except QueueUnavailableError as error:
            logger.warning("whether the queue is empty is not known, polling on: %s", error)
            return False
        if depth.total <= len(self._context.left):
            if depth.total:
                logger.warning("ending with %d messages left in the queue that no stream takes", depth.total)
            return True
        if depth.visible or depth.delayed:
            return False
        waits_until = state.empty_since + self._settings.visibility_timeout_seconds + IN_FLIGHT_GRACE_SECONDS
        seconds_left = waits_until - time.time()
        if seconds_left > 0:
            if not self._waits_for_others:
                self._waits_for_others = True
                logger.warning(
                    "the queue is empty but for %d messages in flight with another consumer; waiting for them for up "
                    "to %.0f s",
                    depth.in_flight,
                    seconds_left,
                )
            return False
        logger.warning("ending with %d messages left in flight with another consumer", depth.in_flight)
        return True


class _EachMessage(beam.DoFn):
    """Makes elements of what a poll brought: of what the poller itself emits, Beam observes the time of each."""

    def process(self, messages: list[SqsMessage]) -> list[WindowedValue]:
        return [
            windowed_value.create(message, _microseconds(message.sent_at.timestamp()), _GLOBAL_WINDOW)
            for message in messages
        ]


def _microseconds(seconds: float) -> int:
    return int(seconds * 1_000_000)


def _advance(watermark: Any, seconds: float) -> None:
    current = watermark.current_watermark()
    reached = Timestamp.of(seconds)
    if current is None or reached > current:
        watermark.set_watermark(reached)


class DeleteFromSqs(beam.PTransform):
    """Deletes messages by the receipts of their deliveries; put it downstream of the commit.

    A message that cannot be deleted comes back and meets the row it already has, so failures are counted
    (``delete_failures``) and logged, and stop nothing.

    An object in S3 that a receipt names is deleted after its message was, and never where that failed. What cannot be
    deleted is counted (``payload_delete_failures``) and logged; nothing tries again, so give the bucket a life cycle.

    Args:
        queue: The queue the messages came from: its address, URL or name.
        branch: What the names of its metrics begin with, where a graph has several; see `JobCounter`.
        overlapping: Whether a bundle may end while its deletions are under way, so that they go on while the next
            micro-batch is received. They are waited for, and counted, at the end of the next bundle that deletes
            nothing, or before the next deletion. For a stream that has no end; a bounded one would end uncounted.
        context: The run, which a starter shares with its transforms; see `RunContext`.
        deletes_payloads: Whether receipts may name objects in S3; see `StreamDefinition.deletes_payloads`.
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
        self._context = context or run_context()
        self._deletes_payloads = deletes_payloads

    def expand(self, batches: PCollection[list[Receipt]]) -> PCollection[None]:
        """Delete each micro-batch; nothing comes out."""
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
        """Show the queue."""
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
        self._under_way: Deletion | None = None
        self._deleted = JobCounter("deleted", context, branch)
        self._delete_failures = JobCounter("delete_failures", context, branch)
        self._payload_delete_failures = JobCounter("payload_delete_failures", context, branch)

    def setup(self) -> None:
        with self._context.reporting_failures():
            self._deleter = BatchDeleter(self._open_queue(self._address), self._context.stopping)
        self._payloads = S3Payloads() if self._deletes_payloads else None

    def teardown(self) -> None:
        with contextlib.suppress(QueueError):  # what was not deleted comes back
            self._finish_deletion()

    def start_bundle(self) -> None:
        self._deletes_in_this_bundle = False
        self._deleted.declare()
        self._delete_failures.declare()

    def process(self, receipts: list[Receipt]) -> None:
        self._finish_deletion()
        self._context.in_flight.remove(self._address, receipts)
        self._under_way = self._deleter.start(receipts)
        self._deletes_in_this_bundle = True

    def finish_bundle(self) -> None:
        if not (self._overlapping and self._deletes_in_this_bundle) or self._context.stopping.is_set():
            self._finish_deletion()

    def _finish_deletion(self) -> None:
        if self._under_way is None:
            return
        deletion, self._under_way = self._under_way, None
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
