"""`MicroBatchReceiver`: what a micro-batch holds and when it ends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from maskline.records import Receipt, SqsMessage
from maskline.sqs import DeleteFailure, QueueDepth, SqsQueue
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings
from tests.awaiting import await_until

FULL = 10


class Clock:
    """A clock that moves only when somebody waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stopping(threading.Event):
    """The stop flag, whose waits move the clock in place of taking time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self.waits: list[float] = []
        self.stop_after_waits = 1_000_000

    def wait(self, timeout: float | None = None) -> bool:
        if not self.is_set():
            self.waits.append(timeout or 0)
            self._clock.now += timeout or 0
        if len(self.waits) >= self.stop_after_waits:
            self.set()
        return self.is_set()


class ScriptedQueue:
    """A queue that gives so many messages a receive, and afterwards nothing."""

    def __init__(self, *answers: int, body: str = "") -> None:
        self._answers = deque(answers)
        self._body = body
        self._lock = threading.Lock()
        self.calls: list[tuple[int, int, int]] = []

    def receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> list[SqsMessage]:
        with self._lock:
            self.calls.append((max_messages, wait_seconds, visibility_seconds))
            answer = self._answers.popleft() if self._answers else 0
            return [message(self._body) for _ in range(min(answer, max_messages))]

    def delete(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        raise AssertionError("a receiver deletes nothing")

    def extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> list[DeleteFailure]:
        raise AssertionError("a receiver extends nothing")

    def depth(self) -> QueueDepth:
        raise AssertionError("a receiver does not ask for the depth")


class MeetingQueue(ScriptedQueue):
    """A queue without end, on which certain receives, counted from 1, answer only when eight are under way."""

    def __init__(self, *meetings: range) -> None:
        super().__init__(*[FULL] * 1000)
        self._meetings = meetings
        self._meeting = threading.Barrier(8)

    def receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> list[SqsMessage]:
        messages = super().receive(max_messages, wait_seconds, visibility_seconds)
        if any(len(self.calls) in meeting for meeting in self._meetings):
            self._meeting.wait(timeout=10)
        return messages


class ObservedQueue(ScriptedQueue):
    """A real queue, and whether somebody is receiving from it."""

    def __init__(self, queue: SqsQueue) -> None:
        super().__init__()
        self._queue = queue
        self.is_receiving = threading.Event()

    def receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> list[SqsMessage]:
        self.is_receiving.set()
        return self._queue.receive(max_messages, wait_seconds, visibility_seconds)


class Bench:
    """A receiver on a scripted queue, its clock and its stop flag."""

    def __init__(self, queue: ScriptedQueue, settings: ReceiveSettings) -> None:
        self.clock = Clock()
        self.stopping = Stopping(self.clock)
        self.receiver = MicroBatchReceiver(queue, settings, self.stopping, self.clock)


def message(body: str) -> SqsMessage:
    return SqsMessage("424cdd21-063a-43a7-b91b-7ca1a833afae", "handle", body, datetime(2026, 3, 1, tzinfo=UTC), 1)


@pytest.fixture
def receiver(queue: SqsQueue) -> Iterator[MicroBatchReceiver]:
    """A receiver of 25 messages at most, on the test's own real queue."""
    settings = ReceiveSettings(micro_batch_size=25, micro_batch_seconds=0.05, long_poll_seconds=0)
    receiver = MicroBatchReceiver(queue, settings, threading.Event())
    yield receiver
    receiver.close()


def test_a_micro_batch_of_a_real_queue_never_exceeds_its_size(queue: SqsQueue, receiver: MicroBatchReceiver) -> None:
    sent_ids = queue.send([f"body {number}" for number in range(60)])

    batches = [receiver.receive() for _ in range(4)]

    assert [len(batch) for batch in batches] == [25, 25, 10, 0]
    assert sorted(received.message_id for batch in batches for received in batch) == sorted(sent_ids)


def test_nothing_is_taken_beyond_the_micro_batch(queue: SqsQueue, receiver: MicroBatchReceiver) -> None:
    queue.send([f"body {number}" for number in range(60)])

    receiver.receive()

    assert queue.depth() == QueueDepth(visible=35, in_flight=25, delayed=0)


def test_the_last_receive_asks_only_for_what_there_is_room_for() -> None:
    queue = ScriptedQueue(FULL, FULL, FULL)
    bench = Bench(queue, ReceiveSettings(micro_batch_size=23))

    messages = bench.receiver.receive()

    assert len(messages) == 23
    assert sorted(wanted for wanted, _, _ in queue.calls) == [3, 10, 10]


def test_only_the_first_receive_waits_for_messages_and_all_hide_them_as_long() -> None:
    queue = ScriptedQueue(FULL, FULL)
    bench = Bench(queue, ReceiveSettings(micro_batch_size=20, long_poll_seconds=7, visibility_timeout_seconds=90))

    bench.receiver.receive()

    assert queue.calls == [(10, 7, 90), (10, 0, 90)]


def test_an_empty_long_poll_is_an_empty_micro_batch_and_is_not_repeated() -> None:
    queue = ScriptedQueue(0, FULL)
    bench = Bench(queue, ReceiveSettings())

    messages = bench.receiver.receive()

    assert messages == []
    assert len(queue.calls) == 1


def test_a_micro_batch_ends_when_its_time_is_over_with_what_gathered_meanwhile() -> None:
    queue = ScriptedQueue(3, 0, 5, FULL)
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0.2))

    messages = bench.receiver.receive()

    assert len(messages) == 8
    assert bench.clock.now == pytest.approx(1000.2)
    assert len(queue.calls) == 3


def test_what_gathered_until_the_time_was_over_is_taken_whole() -> None:
    queue = ScriptedQueue(3, 0, FULL, FULL, 4, FULL)
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0.2))

    messages = bench.receiver.receive()

    assert len(messages) == 27
    assert bench.clock.now == pytest.approx(1000.2)


def test_a_micro_batch_ends_in_time_although_messages_keep_coming() -> None:
    queue = ScriptedQueue(*[FULL] * 1000)
    bench = Bench(queue, ReceiveSettings(micro_batch_size=10_000, micro_batch_seconds=0))

    messages = bench.receiver.receive()

    assert len(messages) == 20


def test_the_receives_at_the_same_time_double_up_to_eight() -> None:
    queue = ScriptedQueue(*[FULL] * 1000)
    bench = Bench(queue, ReceiveSettings(micro_batch_size=10 * (1 + 1 + 2 + 4 + 8 + 8)))

    messages = bench.receiver.receive()

    assert len(messages) == 240
    assert len(queue.calls) == 24
    assert bench.stopping.waits == []


def test_eight_receives_are_under_way_at_the_same_time() -> None:
    bench = Bench(MeetingQueue(range(9, 17)), ReceiveSettings(micro_batch_size=10 * (1 + 1 + 2 + 4 + 8)))

    messages = bench.receiver.receive()

    assert len(messages) == 160


def test_the_next_micro_batch_begins_with_as_many_as_filled_the_last() -> None:
    bench = Bench(MeetingQueue(range(9, 17), range(18, 26)), ReceiveSettings(micro_batch_size=10 * (1 + 1 + 2 + 4 + 8)))

    assert [len(bench.receiver.receive()) for _ in range(2)] == [160, 160]


def test_one_receive_at_a_time_is_enough_once_the_queue_was_empty() -> None:
    seven_at_once_and_the_last = [0] * (7 + 1)
    queue = ScriptedQueue(*[FULL] * 8, FULL, *seven_at_once_and_the_last, FULL)
    bench = Bench(queue, ReceiveSettings(micro_batch_size=10 * 8))

    received = [len(bench.receiver.receive()) for _ in range(3)]

    assert received == [80, FULL, FULL]
    assert len(queue.calls) == 8 + (1 + 7 + 1) + (1 + 1 + 1)


def test_it_ends_at_once_when_stopping_is_set() -> None:
    queue = ScriptedQueue(FULL, FULL)
    bench = Bench(queue, ReceiveSettings())
    bench.stopping.set()

    messages = bench.receiver.receive()

    assert messages == []
    assert queue.calls == []


def test_a_receive_under_way_is_never_abandoned(queue: SqsQueue) -> None:
    observed = ObservedQueue(queue)
    stopping = threading.Event()
    receiver = MicroBatchReceiver(observed, ReceiveSettings(long_poll_seconds=20), stopping)
    with ThreadPoolExecutor(1) as poller:
        polling = poller.submit(receiver.receive)
        observed.is_receiving.wait(10)

        stopping.set()
        (sent_id,) = queue.send(["sent after the stop"])
        messages = polling.result(timeout=30)

    receiver.close()
    assert [received.message_id for received in messages] == [sent_id]


def test_a_stop_ends_the_gathering_at_once(queue: SqsQueue) -> None:
    queue.send(["one", "two", "three"])
    stopping = threading.Event()
    receiver = MicroBatchReceiver(
        queue, ReceiveSettings(micro_batch_seconds=50, visibility_timeout_seconds=150), stopping
    )
    with ThreadPoolExecutor(1) as poller:
        polling = poller.submit(receiver.receive)
        await_until(lambda: queue.depth().in_flight == 3, "the messages are received")

        stopping.set()
        messages = polling.result(timeout=10)

    receiver.close()
    assert len(messages) == 3


def test_stopped_while_filling_no_further_receive_begins() -> None:
    queue = ScriptedQueue(3, 0, FULL)
    bench = Bench(queue, ReceiveSettings())
    bench.stopping.stop_after_waits = 1

    messages = bench.receiver.receive()

    assert len(messages) == 3
    assert len(queue.calls) == 2


def test_no_further_receive_begins_once_sixteen_megabytes_are_held() -> None:
    bench = Bench(ScriptedQueue(*[1] * 1000, body="x" * (8 * 1024 * 1024)), ReceiveSettings())

    assert len(bench.receiver.receive()) == 2


def test_no_more_is_asked_for_than_sixteen_megabytes_have_room_for() -> None:
    bench = Bench(ScriptedQueue(*[FULL] * 1000, body="x" * (1024 * 1024)), ReceiveSettings())

    assert [len(bench.receiver.receive()) for _ in range(3)] == [16, 16, 16]
