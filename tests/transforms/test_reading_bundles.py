"""Several pollers in one bundle: what one has received does not wait for the others' long polls."""

from __future__ import annotations

from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from apache_beam.runners.sdf_utils import RestrictionTrackerView, ThreadsafeRestrictionTracker

from maskline.records import SqsMessage
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.transforms.polling import Polling, PollingTracker
from maskline.transforms.reading import _Poll
from maskline.transforms.run_context import RunContext
from tests.maskline.sqs.faults import FaultyQueue, some_messages

SETTINGS = ReceiveSettings(micro_batch_size=1, micro_batch_seconds=0, long_poll_seconds=7)


def test_while_nothing_was_received_every_poller_of_a_bundle_waits() -> None:
    queue = FaultyQueue()

    _run_bundles(queue, pollers=3)

    assert _waits(queue) == [7, 7, 7]


def test_once_one_has_received_the_others_of_its_bundle_only_take_what_is_there() -> None:
    queue = FaultyQueue(receive=lambda number: some_messages(1) if number == 1 else [])

    _run_bundles(queue, pollers=4)

    assert _waits(queue) == [7, 7, 7, 0, 0]  # the third fetches ahead


def test_the_first_poller_of_the_next_bundle_waits_again() -> None:
    queue = FaultyQueue(receive=lambda number: some_messages(1) if number == 0 else [])

    _run_bundles(queue, pollers=2, bundles=2)

    assert _waits(queue) == [7, 7, 0, 7, 7]  # the second fetches ahead


def test_full_micro_batches_are_taken_several_in_one_bundle() -> None:
    queue = FaultyQueue(receive=lambda _: some_messages(1))

    assert _lengths_in_a_bundle(queue, micro_batch_size=1) == [1, 1, 1]


def test_a_micro_batch_that_is_not_full_is_the_last_of_its_bundle() -> None:
    queue = FaultyQueue(receive=lambda number: some_messages(1 if number else 3))

    assert _lengths_in_a_bundle(queue, micro_batch_size=3) == [3, 1]


def test_a_stop_ends_a_poller_between_two_micro_batches_of_a_bundle() -> None:
    context = RunContext()

    def receive(number: int) -> list[SqsMessage]:
        if number == 1:
            context.stopping.set()
        return some_messages(1)

    assert _lengths_in_a_bundle(FaultyQueue(receive), micro_batch_size=1, context=context) == [1]


def _lengths_in_a_bundle(queue: FaultyQueue, micro_batch_size: int, context: RunContext | None = None) -> list[int]:
    """Return how many messages each micro-batch has that a poller takes at once, three at most."""
    settings = ReceiveSettings(micro_batch_size=micro_batch_size, micro_batch_seconds=0, long_poll_seconds=0)
    poll = _Poll(QueueAddress("logins"), settings, False, context or RunContext(), lambda _: queue, polls_at_once=3)
    poll.setup()
    poll.start_bundle()
    tracker = RestrictionTrackerView(ThreadsafeRestrictionTracker(PollingTracker(Polling())))
    polled = [
        len(polled.value) for polled in poll.process(0, tracker=tracker, watermark=ManualWatermarkEstimator(None))
    ]
    poll.teardown()
    return polled


def _run_bundles(queue: FaultyQueue, pollers: int, bundles: int = 1) -> None:
    """Have one copy of the DoFn poll for several pollers, as a runner does."""
    poll = _Poll(QueueAddress("logins"), SETTINGS, False, RunContext(), lambda _: queue)
    poll.setup()
    for _ in range(bundles):
        poll.start_bundle()
        for poller in range(pollers):
            tracker = RestrictionTrackerView(ThreadsafeRestrictionTracker(PollingTracker(Polling())))
            list(poll.process(poller, tracker=tracker, watermark=ManualWatermarkEstimator(None)))
    poll.teardown()


def _waits(queue: FaultyQueue) -> list[int]:
    return [wait_seconds for _, wait_seconds, _ in queue.received]
