"""Reading from a real queue, on FnApiRunner."""

from __future__ import annotations

import logging
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import apache_beam as beam
import msgspec
import pytest
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.runners.sdf_utils import RestrictionTrackerView, ThreadsafeRestrictionTracker

import maskline.transforms.reading
from maskline.errors import QueueError, UsageError
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.records import Receipt, SqsMessage
from maskline.sqs import Queue, QueueAddress, QueueDepth, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.transforms.deleting import DeleteFromSqs
from maskline.transforms.polling import Polling, PollingTracker
from maskline.transforms.reading import ReadFromSqs
from maskline.transforms.run_context import RunContext
from tests.awaiting import await_until
from tests.maskline.sqs.faults import FaultyQueue, receipts_of, some_messages
from tests.transforms.running import Collect, a_pipeline, measured_pipeline

SHORT = ReceiveSettings(
    micro_batch_size=25, micro_batch_seconds=0.05, visibility_timeout_seconds=60, long_poll_seconds=0
)
FILLING = msgspec.structs.replace(SHORT, micro_batch_seconds=20)
"""A micro-batch is full before its time is over, however slow the machine is."""

ADDRESS = QueueAddress("logins")


@pytest.mark.parametrize("pollers", [1, 3])
def test_until_empty_every_message_is_read_once(queue: SqsQueue, queue_address: QueueAddress, pollers: int) -> None:
    sent = queue.send([f"body {number}" for number in range(120)])
    read = Collect()

    with measured_pipeline() as (pipeline, measured):
        read_until_empty(pipeline, queue_address, read, pollers=pollers)

    assert sorted(message.body for message in read.elements) == sorted(f"body {number}" for number in range(120))
    assert sorted(message.message_id for message in read.elements) == sorted(sent)
    assert queue.depth().total == 0
    assert measured.counters == {"received": 120, "deleted": 120}


def test_in_micro_batches_the_messages_of_a_poll_stay_together(queue: SqsQueue, queue_address: QueueAddress) -> None:
    queue.send([f"body {number}" for number in range(50)])
    read = Collect()

    with a_pipeline() as pipeline:
        micro_batches = pipeline | ReadFromSqs(queue_address, FILLING, until_empty=True, in_micro_batches=True)
        messages = micro_batches | read | beam.FlatMap(lambda micro_batch: micro_batch)
        messages | AsReceipts() | DeleteFromSqs(queue_address)

    lengths = list(map(len, read.elements))
    assert lengths == [25, 25]
    assert micro_batches.element_type == beam.typehints.List[SqsMessage]


def test_until_empty_an_empty_queue_ends_the_read(queue: SqsQueue, queue_address: QueueAddress) -> None:
    read = Collect()

    with a_pipeline() as pipeline:
        read_until_empty(pipeline, queue_address, read)

    assert read.elements == []


def test_until_empty_what_another_consumer_holds_is_waited_for(queue: SqsQueue, queue_address: QueueAddress) -> None:
    (sent,) = queue.send(["held by another"])
    queue.receive(1, 0, 2)
    read = Collect()

    with a_pipeline() as pipeline:
        read_until_empty(pipeline, queue_address, read)

    assert [(message.message_id, message.receive_count) for message in read.elements] == [(sent, 2)]
    assert queue.depth().total == 0


def test_until_empty_delayed_messages_are_waited_for(sqs: EmbeddedSqs) -> None:
    url = sqs.create_queue(f"test-{uuid.uuid4().hex}", {"DelaySeconds": "1"})
    address = QueueAddress(url, sqs.endpoint)
    SqsQueue.open(address).send(["sent with a delay"])
    read = Collect()

    with a_pipeline() as pipeline:
        read_until_empty(pipeline, address, read)

    assert [message.body for message in read.elements] == ["sent with a delay"]


def test_until_empty_what_another_consumer_never_gives_back_is_reported(
    queue: SqsQueue,
    queue_address: QueueAddress,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(maskline.transforms.reading, "IN_FLIGHT_GRACE_SECONDS", 0)
    queue.send(["x"] * 3)
    queue.receive(3, 0, 600)
    began = time.monotonic()

    with caplog.at_level(logging.WARNING, "maskline.transforms.reading"), a_pipeline() as pipeline:
        settings = ReceiveSettings(
            micro_batch_size=25, micro_batch_seconds=0.05, visibility_timeout_seconds=3, long_poll_seconds=0
        )
        pipeline | ReadFromSqs(queue_address, settings, until_empty=True)

    assert time.monotonic() - began >= 3
    ours = [record.getMessage() for record in caplog.records if record.name == "maskline.transforms.reading"]
    waiting, ending = ours
    assert waiting.startswith("the queue is empty but for 3 messages in flight with another consumer; waiting for them")
    assert ending == "ending with 3 messages left in flight with another consumer"


def test_until_empty_one_empty_poll_is_not_the_end_and_a_second_is(queue: SqsQueue) -> None:
    after_first = deferred_by(queue, Polling())
    after_second = deferred_by(queue, Polling(empty_polls=1, empty_since=7.0))

    assert after_first is not None
    assert after_first.empty_polls == 1
    assert after_second is None


def test_until_empty_the_read_never_ends_while_a_message_is_visible() -> None:
    state = deferred_by(ShyQueue(), Polling(empty_polls=100, empty_since=7.0))

    assert state == Polling(empty_polls=101, empty_since=7.0)


def test_what_was_fetched_ahead_of_the_micro_batch_is_given_back_in_the_end(queue: SqsQueue) -> None:
    queue.send(["x"] * 60)

    messages = poll_once(queue, ManualWatermarkEstimator(None), FILLING)

    assert len(messages) == 25
    assert queue.depth() == QueueDepth(visible=35, in_flight=25, delayed=0)


def test_a_streaming_read_goes_on_until_it_is_stopped(queue: SqsQueue, queue_address: QueueAddress) -> None:
    read, context = Collect(), RunContext()
    pipeline = a_pipeline()
    messages = pipeline | ReadFromSqs(queue_address, SHORT, context=context)
    messages | read | AsReceipts() | DeleteFromSqs(queue_address, context=context)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(lambda: pipeline.run().wait_until_finish())
        try:
            queue.send(["first"])
            await_until(lambda: context.tally.counts()["deleted"] == 1, "the first message was handled")
            queue.send(["second"])
            await_until(lambda: context.tally.counts()["deleted"] == 2, "the second message was handled")
            assert not running.done()
        finally:
            context.stopping.set()

        running.result(timeout=10)

    assert [message.body for message in read.elements] == ["first", "second"]


def test_a_message_has_the_time_at_which_the_queue_accepted_it(queue: SqsQueue, queue_address: QueueAddress) -> None:
    queue.send(["x", "y"])
    sent_at = {message.message_id: message.sent_at for message in queue.receive(10, 0, 0)}
    stamped = Collect()

    with a_pipeline() as pipeline:
        messages = pipeline | ReadFromSqs(queue_address, SHORT, until_empty=True)
        messages | beam.Map(with_timestamp) | stamped
        messages | AsReceipts() | DeleteFromSqs(queue_address)

    assert len(sent_at) == 2
    assert dict(stamped.elements) == sent_at


def test_the_watermark_is_the_oldest_message_of_the_micro_batch() -> None:
    noon = datetime(2026, 1, 31, 12, tzinfo=UTC)
    older, newer = some_messages(2)
    newer = msgspec.structs.replace(newer, sent_at=noon + timedelta(minutes=1))
    watermark = ManualWatermarkEstimator(None)

    poll_once(FaultyQueue(receive=lambda number: [] if number else [newer, older]), watermark)

    assert watermark.current_watermark().to_utc_datetime(has_tz=True) == noon


def test_the_watermark_of_an_empty_queue_is_wall_time(queue: SqsQueue) -> None:
    watermark = ManualWatermarkEstimator(None)
    before = time.time()

    poll_once(queue, watermark)

    assert before - 0.001 <= watermark.current_watermark().micros / 1e6 <= time.time()


def test_the_watermark_never_goes_back(queue: SqsQueue) -> None:
    queue.send(["sent before the queue was found empty"])
    ahead = beam.utils.timestamp.Timestamp.of(time.time() + 3600)
    watermark = ManualWatermarkEstimator(ahead)

    (message,) = poll_once(queue, watermark)

    assert message.body == "sent before the queue was found empty"
    assert watermark.current_watermark() == ahead


@pytest.mark.parametrize("pollers", [0, -1])
def test_a_read_without_pollers_is_refused_at_construction(pollers: int) -> None:
    with pytest.raises(UsageError, match=f"pollers is {pollers}; it must be 1 or more"):
        ReadFromSqs(QueueAddress("logins"), pollers=pollers)


def test_no_message_is_received_before_the_side_input_is_there(queue: SqsQueue, queue_address: QueueAddress) -> None:
    queue.send(["x"])
    pipeline = a_pipeline()
    no_single_one = beam.pvalue.AsSingleton(pipeline | beam.Create([1, 2]))
    read = pipeline | "Read" >> ReadFromSqs(queue_address, SHORT, until_empty=True, after=no_single_one)
    read | AsReceipts() | DeleteFromSqs(queue_address)

    with pytest.raises(Exception, match="singleton"):
        pipeline.run().wait_until_finish()

    (message,) = queue.receive(10, 0, 0)
    assert message.receive_count == 1


def test_a_queue_that_does_not_exist_is_told_to_whoever_started_the_job(sqs: EmbeddedSqs) -> None:
    context = RunContext()
    pipeline = a_pipeline()
    pipeline | ReadFromSqs(QueueAddress("nobodys", sqs.endpoint), SHORT, context=context)

    with pytest.raises(Exception, match="does not exist"):
        pipeline.run().wait_until_finish()

    assert isinstance(context.failure, QueueError)


def read_until_empty(pipeline: beam.Pipeline, address: QueueAddress, read: Collect, pollers: int = 1) -> None:
    """Read and delete until the queue is empty."""
    messages = pipeline | ReadFromSqs(address, SHORT, pollers=pollers, until_empty=True)
    messages | read | AsReceipts() | DeleteFromSqs(address)


def poll_once(queue: Queue, watermark: ManualWatermarkEstimator, settings: ReceiveSettings = SHORT) -> list[SqsMessage]:
    """Call the poller once, as a runner does, and return what it emitted."""
    poll = maskline.transforms.reading._Poll(ADDRESS, settings, False, RunContext(), lambda _: queue)
    tracker = RestrictionTrackerView(ThreadsafeRestrictionTracker(PollingTracker(Polling())))
    poll.setup()
    try:
        polled = list(poll.process(0, tracker=tracker, watermark=watermark))
        return [message for element in polled for message in element.value]
    finally:
        poll.teardown()


class ShyQueue(FaultyQueue):
    """A queue that counts a message and does not give it: a receive need not ask all of SQS's servers."""

    def depth(self) -> QueueDepth:
        return QueueDepth(visible=1, in_flight=0, delayed=0)


def deferred_by(queue: Queue, state: Polling) -> Polling | None:
    """Call the poller of a read until empty once, and return where it goes on, or None where it ended."""
    poll = maskline.transforms.reading._Poll(ADDRESS, SHORT, True, RunContext(), lambda _: queue)
    tracker = ThreadsafeRestrictionTracker(PollingTracker(state))
    poll.setup()
    list(poll.process(0, tracker=RestrictionTrackerView(tracker), watermark=ManualWatermarkEstimator(None)))
    poll.teardown()
    tracker.check_done()
    deferred: tuple[Polling, object] | None = tracker.deferred_status()
    return deferred[0] if deferred else None


def with_timestamp(message: SqsMessage, timestamp: Any = beam.DoFn.TimestampParam) -> tuple[str, datetime]:
    """Return a message's id and the timestamp of its element."""
    return message.message_id, timestamp.to_utc_datetime(has_tz=True)


class AsReceipts(beam.PTransform):
    """Turns messages into what deletes them."""

    def expand(self, messages: beam.PCollection[SqsMessage]) -> beam.PCollection[list[Receipt]]:
        return messages | beam.Map(lambda message: receipts_of([message]))
