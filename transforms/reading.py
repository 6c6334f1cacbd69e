"""The SQS source: messages of a queue, without end or until it is empty."""

from __future__ import annotations

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
from maskline.errors import ArgumentError, QueueUnavailableError
from maskline.records import Receipt, SqsMessage
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.client import OpenQueue
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings
from maskline.transforms.arguments import check_context, check_names, check_positive, parse_queue
from maskline.transforms.metrics import JobCounter
from maskline.transforms.polling import FINISHED, Polling, PollingRestrictions
from maskline.transforms.run_context import RunContext

EMPTY_POLLS_TO_END = 2
MAX_POLLS_AT_ONCE = 8
"""How many full micro-batches a poller takes in one bundle, which costs a runner 2 ms whatever is in it.

Only where a micro-batch is one element, which goes on to its commit before the next one is taken.
"""

IN_FLIGHT_GRACE_SECONDS = 10

_GLOBAL_WINDOW = (GlobalWindow(),)
"""The windows of a source's elements. Given a ``TimestampedValue``, Beam would work them out for each element."""

logger = logging.getLogger(__name__)


class ReadFromSqs(beam.PTransform):
    """Reads the messages of an SQS queue, without end or until the queue is empty.

    It is the root of a pipeline, and makes a PCollection of `SqsMessage`::

        messages = pipeline | ReadFromSqs("https://sqs.eu-central-1.amazonaws.com/123456789012/logins")

    *Guarantee*: it deletes nothing. A message whose receipt never reaches `DeleteFromSqs` is delivered again. At most
    two micro-batches per poller are fetched ahead, and hidden from other consumers; see `MicroBatchReceiver`.

    The timestamp of an element is the time at which the queue accepted the message (SQS's SentTimestamp), that of a
    micro-batch its oldest message's. The watermark is the oldest timestamp of the latest poll, and the current time
    while the queue is empty, so that a runner shows the true lag.

    Args:
        queue: The queue: its address, URL or name.
        receive: How micro-batches are received; the defaults of `ReceiveSettings` if None.
        pollers: How many pollers receive at the same time, spread over the workers, 1 or more.
        until_empty: Whether to end when the queue is empty, that is after consecutive long polls brought nothing and
            SQS counts no message as visible, in flight or delayed, other than those that this run left there. Delayed
            messages are waited for. So are messages in flight with another consumer, for as long as their visibility
            time-out can last; the log says how many have not come back by then.
        after: A side input that has to be available before the first message is received.
        context: The run that the transform belongs to; see `RunContext`. Only a program that starts runs gives one.
        attribute_names: The message attributes to ask for; see `StreamDefinition.attribute_names` and
            `maskline.sqs.message_attributes.EVERY_ATTRIBUTE`.
        in_micro_batches: Whether an element is a micro-batch, a list of messages as they were received, and not a
            single message: a runner then does once for all of them what it does for an element.

    Raises:
        ArgumentError: A value is out of its range, or of another type.
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
        self._queue = parse_queue(queue)
        if receive is not None and not isinstance(receive, ReceiveSettings):
            raise ArgumentError(f"receive is a {type(receive).__name__}; give ReceiveSettings or None")
        self._receive = receive or ReceiveSettings()
        self._pollers = check_positive("pollers", pollers)
        self._until_empty = until_empty
        if after is not None and not isinstance(after, AsSingleton):
            raise ArgumentError(f"after is a {type(after).__name__}; give beam.pvalue.AsSingleton(pcollection) or None")
        self._after = after
        self._context = check_context(context)
        self._attribute_names = check_names("attribute_names", attribute_names)
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
        """Return the queue and how it is received from, for a runner's interface."""
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
        self._context.track_keeper(self._receiver)
        self._bundle_has_messages = False
        self._waits_for_others = False

    def teardown(self) -> None:
        self._context.close_keeper(self._receiver)

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
    """Makes an element of each message of a poll.

    The poller does not do so itself, for Beam observes the time of every element that a splittable DoFn emits.
    """

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
