"""`MicroBatchReceiver`: what a micro-batch holds and when it ends."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

import maskline.sqs.receiver
from maskline.records import Receipt, SqsMessage
from maskline.sqs import DeleteFailure, QueueDepth, SqsQueue
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings
from tests.awaiting import await_until
from tests.maskline.sqs.faults import BlockingQueue

FULL = 10

SLOW = ReceiveSettings(micro_batch_size=1_000, micro_batch_seconds=50, visibility_timeout_seconds=150)
"""Time enough for a test to say what each receive brings."""


class Clock:
    """A clock that moves only when somebody waits for it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class ScriptedQueue(BlockingQueue):
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


class _AwaitedReceive(Future[list[SqsMessage]]):
    """A receive that says when somebody listens for its answer; one that is answered before begins no further one."""

    def __init__(self, announce: Callable[[Future[list[SqsMessage]]], None]) -> None:
        super().__init__()
        self._announce = announce

    def add_done_callback(self, fn: Callable[[Future[list[SqsMessage]]], object]) -> None:
        super().add_done_callback(fn)
        self._announce(self)


class PendingQueue(BlockingQueue):
    """A queue that answers its receives when it is told to.

    Args:
        connections: How many receives may be under way.
    """

    def __init__(self, connections: int = 4) -> None:
        self.connections = connections
        self.receives: list[tuple[int, int, Future[list[SqsMessage]]]] = []
        self.given_back: list[Receipt] = []
        self.extended: list[Receipt] = []
        self.has_given_back = threading.Event()

    def submit_receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> Future[list[SqsMessage]]:
        return _AwaitedReceive(lambda receive: self.receives.append((max_messages, wait_seconds, receive)))

    def extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> list[DeleteFailure]:
        if visibility_seconds:
            self.extended.extend(receipts)
        else:
            self.given_back.extend(receipts)
            self.has_given_back.set()
        return []

    def answer(self, number: int, count: int) -> None:
        """Answer a receive, counted from 0, with so many messages."""
        self.receives[number][2].set_result([message("", f"{number}-{place}") for place in range(count)])

    @property
    def waits(self) -> list[int]:
        """How long each receive so far was to wait."""
        return [wait_seconds for _, wait_seconds, _ in self.receives]


class Bench:
    """A receiver on a queue, its stop flag, and a clock that moves when somebody waits in place of taking time."""

    def __init__(self, queue: BlockingQueue, settings: ReceiveSettings) -> None:
        self.clock = Clock()
        self.stopping = threading.Event()
        self.stop_after_waits = 1_000_000
        self.waits: list[float] = []
        self.receiver = MicroBatchReceiver(queue, settings, self.stopping, self.clock, self._wait)

    def _wait(self, condition: threading.Condition, seconds: float) -> None:
        condition.wait(0.001)
        self.waits.append(seconds)
        self.clock.now += seconds
        if len(self.waits) >= self.stop_after_waits:
            self.stopping.set()


FILLING = ReceiveSettings(micro_batch_size=25, micro_batch_seconds=20, long_poll_seconds=0)
"""A micro-batch is full before its time is over, however slow the machine is."""


def message(body: str, handle: str = "handle") -> SqsMessage:
    return SqsMessage("424cdd21-063a-43a7-b91b-7ca1a833afae", handle, body, datetime(2026, 3, 1, tzinfo=UTC), 1)


def handles(messages: Sequence[SqsMessage | Receipt]) -> list[str]:
    return [message.receipt_handle for message in messages]


@pytest.fixture
def receiver(queue: SqsQueue) -> Iterator[MicroBatchReceiver]:
    """A receiver of 25 messages at most, on the test's own real queue."""
    settings = ReceiveSettings(micro_batch_size=25, micro_batch_seconds=0.05, long_poll_seconds=0)
    receiver = MicroBatchReceiver(queue, settings, threading.Event())
    yield receiver
    receiver.close()


def test_a_micro_batch_of_a_real_queue_never_exceeds_its_size(queue: SqsQueue, receiver: MicroBatchReceiver) -> None:
    sent_ids = queue.send([f"body {number}" for number in range(60)])

    batches: list[list[SqsMessage]] = []
    while sum(map(len, batches)) < 60:  # a slow machine fills none before its time is over
        batches.append(receiver.receive())

    assert max(map(len, batches)) <= 25
    assert receiver.receive() == []
    assert sorted(received.message_id for batch in batches for received in batch) == sorted(sent_ids)


def test_no_more_is_in_flight_than_two_micro_batches(queue: SqsQueue) -> None:
    queue.send([f"body {number}" for number in range(100)])
    receiver = MicroBatchReceiver(queue, FILLING, threading.Event())

    receiver.receive()

    await_until(lambda: queue.depth().in_flight == 50, "the next micro-batch is fetched ahead")
    assert queue.depth() == QueueDepth(visible=50, in_flight=50, delayed=0)
    receiver.close()


def test_what_was_fetched_ahead_is_given_back_when_closed(queue: SqsQueue) -> None:
    queue.send([f"body {number}" for number in range(60)])
    receiver = MicroBatchReceiver(queue, FILLING, threading.Event())
    receiver.receive()

    receiver.close()

    assert queue.depth() == QueueDepth(visible=35, in_flight=25, delayed=0)


def test_no_receive_asks_for_more_than_there_is_room_for() -> None:
    queue = ScriptedQueue(*[FULL] * 100)
    bench = Bench(queue, ReceiveSettings(micro_batch_size=23))

    messages = bench.receiver.receive()

    assert len(messages) == 23
    assert sum(wanted for wanted, _, _ in queue.calls) == 2 * 23


def test_only_the_first_receive_waits_for_messages_and_all_hide_them_as_long() -> None:
    queue = ScriptedQueue(FULL, FULL)
    bench = Bench(queue, ReceiveSettings(micro_batch_size=20, long_poll_seconds=7, visibility_timeout_seconds=90))

    messages = bench.receiver.receive()

    assert len(messages) == 20
    assert queue.calls[:2] == [(10, 7, 90), (10, 0, 90)]


def test_while_many_receives_are_under_way_only_one_of_them_waits() -> None:
    queue = PendingQueue(connections=4)
    settings = ReceiveSettings(
        micro_batch_size=30, micro_batch_seconds=50, visibility_timeout_seconds=150, long_poll_seconds=7
    )
    receiver = MicroBatchReceiver(queue, settings, threading.Event())

    with running(receiver) as batch:
        await_until(lambda: len(queue.receives) == 1, "the long poll is under way")
        for number in range(3):
            queue.answer(number, FULL)
        assert len(batch.result(timeout=10)) == 30
    for number in range(3, 6):
        queue.answer(number, FULL)
    with running(receiver) as batch:
        assert len(batch.result(timeout=10)) == 30

    assert queue.waits == [7, 0, 0, 0, 0, 7, 7, 0, 0]


def test_an_empty_long_poll_is_an_empty_micro_batch_and_is_not_repeated() -> None:
    queue = ScriptedQueue(0, FULL)
    bench = Bench(queue, ReceiveSettings())

    messages = bench.receiver.receive()

    assert messages == []
    assert len(queue.calls) == 1


def test_without_waiting_a_long_poll_that_is_under_way_is_not_waited_for() -> None:
    queue = PendingQueue()
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0, long_poll_seconds=7))
    with running(bench.receiver) as batch:
        await_until(lambda: len(queue.receives) == 1, "the long poll is under way")
        queue.answer(0, 3)
        assert len(batch.result(timeout=10)) == 3

    messages = bench.receiver.receive(waits=False)

    assert messages == []
    assert queue.waits == [7, 7]


def test_a_micro_batch_ends_when_its_time_is_over_with_what_gathered_meanwhile() -> None:
    queue = ScriptedQueue(3, 5)
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0.2, long_poll_seconds=5))

    messages = bench.receiver.receive()

    assert len(messages) == 8
    assert bench.clock.now == pytest.approx(1000.2)
    assert [wait for _, wait, _ in queue.calls] == [5, 0, 5]


def test_what_gathered_until_the_time_was_over_is_taken_whole() -> None:
    queue = ScriptedQueue(3, FULL, FULL, 4)
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0.2))

    messages = bench.receiver.receive()

    assert len(messages) == 27
    assert bench.clock.now == pytest.approx(1000.2)


@contextlib.contextmanager
def thirteen_taken() -> Iterator[tuple[PendingQueue, Clock, Future[list[SqsMessage]]]]:
    """Receive a micro-batch whose time is over, and of whose last two receives one has brought little."""
    queue, clock = PendingQueue(), Clock()
    with running(MicroBatchReceiver(queue, SLOW, threading.Event(), clock)) as batch:
        await_until(lambda: len(queue.receives) == 1, "the long poll is under way")
        queue.answer(0, FULL)
        clock.now += SLOW.micro_batch_seconds
        queue.answer(1, 3)
        yield queue, clock, batch


def test_what_other_receives_have_still_to_bring_belongs_to_the_micro_batch() -> None:
    with thirteen_taken() as (queue, _, batch):
        with pytest.raises(TimeoutError):
            batch.result(timeout=0.2)

        queue.answer(2, 4)

        assert len(batch.result(timeout=10)) == 17


def test_one_that_others_have_still_to_bring_something_to_ends_all_the_same() -> None:
    with thirteen_taken() as (_, clock, batch):
        clock.now += SLOW.micro_batch_seconds

        assert len(batch.result(timeout=10)) == 13


def test_taking_what_gathered_begins_as_long_before_the_end_as_it_took() -> None:
    queue, clock = PendingQueue(), Clock()
    receiver = MicroBatchReceiver(queue, SLOW, threading.Event(), clock)
    with running(receiver) as first:
        await_until(lambda: len(queue.receives) == 1, "the long poll is under way")
        queue.answer(0, 1)
        clock.now += 50
        await_until(lambda: len(queue.receives) == 2, "what gathered is taken")
        clock.now += 4
        queue.answer(1, 2)
        assert len(first.result(timeout=10)) == 3

    with running(receiver) as second:
        queue.answer(2, 1)
        clock.now += 45.9
        with pytest.raises(TimeoutError):
            second.result(timeout=0.2)
        assert len(queue.receives) == 3
        clock.now += 0.1
        await_until(lambda: len(queue.receives) == 4, "what gathered is taken")
        queue.answer(3, 0)
        assert len(second.result(timeout=10)) == 1


def test_a_micro_batch_of_no_time_is_what_the_first_receive_brings() -> None:
    bench = Bench(ScriptedQueue(*[FULL] * 1000), ReceiveSettings(micro_batch_size=10_000, micro_batch_seconds=0))

    assert len(bench.receiver.receive()) == FULL


def test_the_receives_at_the_same_time_grow_with_full_answers_up_to_the_connections() -> None:
    queue = PendingQueue(connections=4)
    stopping = threading.Event()
    receiver = MicroBatchReceiver(queue, SLOW, stopping)
    under_way = [1]
    answered = 0
    with running(receiver) as batch:
        await_until(lambda: len(queue.receives) == 1, "the long poll is under way")
        for _ in range(6):
            queue.answer(answered, FULL)
            answered += 1
            under_way.append(len(queue.receives) - answered)
        stopping.set()
        batch.result(timeout=10)

    assert under_way == [1, 2, 3, 4, 4, 4, 4]


def test_an_answer_that_brings_nothing_has_no_further_receive_begin_until_the_time_is_over() -> None:
    queue = PendingQueue(connections=4)
    receiver = MicroBatchReceiver(queue, SLOW, stop := threading.Event())
    with running(receiver) as batch:
        await_until(lambda: len(queue.receives) == 1, "the long poll is under way")
        queue.answer(0, FULL)
        queue.answer(1, FULL)
        queue.answer(2, 0)
        queue.answer(3, 0)
        stop.set()
        assert len(batch.result(timeout=10)) == 20

    assert len(queue.receives) == 5


def test_it_ends_at_once_when_stopping_is_set() -> None:
    queue = ScriptedQueue(FULL, FULL)
    bench = Bench(queue, ReceiveSettings())
    bench.stopping.set()

    messages = bench.receiver.receive()

    assert messages == []
    assert queue.calls == []


def test_what_a_receive_brings_after_the_stop_is_given_back(queue: SqsQueue) -> None:
    stopping = threading.Event()
    receiver = MicroBatchReceiver(queue, ReceiveSettings(long_poll_seconds=20), stopping)
    with ThreadPoolExecutor(1) as poller:
        polling = poller.submit(receiver.receive)
        await_until(lambda: receiver.under_way == 1, "the long poll is under way")
        stopping.set()
        assert polling.result(timeout=10) == []

        queue.send(["sent after the stop"])
        receiver.close()

    assert queue.depth() == QueueDepth(visible=1, in_flight=0, delayed=0)


def test_closing_waits_for_the_receives_under_way_and_gives_back_what_they_bring() -> None:
    queue = PendingQueue()
    stopping = threading.Event()
    receiver = MicroBatchReceiver(queue, ReceiveSettings(), stopping)
    with running(receiver) as batch:
        await_until(lambda: len(queue.receives) == 1, "the long poll is under way")
        stopping.set()
        assert batch.result(timeout=10) == []
    with ThreadPoolExecutor(1) as threads:
        closing = threads.submit(receiver.close)
        queue.answer(0, 2)
        closing.result(timeout=10)

    assert handles(queue.given_back) == ["0-0", "0-1"]


def test_closing_gives_up_on_a_queue_that_hangs(caplog: pytest.LogCaptureFixture) -> None:
    queue = PendingQueue()
    bench = Bench(queue, ReceiveSettings(long_poll_seconds=5))
    bench.stop_after_waits = 1
    bench.receiver.receive()
    before = bench.clock.now

    bench.receiver.close()

    assert bench.clock.now - before == pytest.approx(8)
    assert "1 calls to the queue were not answered" in caplog.text


def test_a_queue_that_does_not_answer_is_said_while_it_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(maskline.sqs.receiver, "SLOW_SECONDS", 0.1)
    queue = PendingQueue()
    receiver = MicroBatchReceiver(queue, ReceiveSettings(micro_batch_seconds=0, long_poll_seconds=0), threading.Event())
    with running(receiver) as batch:
        await_until(lambda: "receiving: an answer of SQS has taken" in caplog.text, "the log says so")

        queue.answer(0, 1)

        assert len(batch.result(timeout=10)) == 1


def test_a_stop_ends_the_gathering_at_once(queue: SqsQueue) -> None:
    queue.send(["one", "two", "three"])
    stopping = threading.Event()
    receiver = MicroBatchReceiver(queue, SLOW, stopping)
    with ThreadPoolExecutor(1) as poller:
        polling = poller.submit(receiver.receive)
        await_until(lambda: queue.depth().in_flight == 3, "the messages are received")

        stopping.set()
        messages = polling.result(timeout=10)

    receiver.close()
    await_until(lambda: queue.depth().in_flight == len(messages), "what was not handed out is given back")


def test_what_waits_to_be_handed_out_is_extended() -> None:
    queue = PendingQueue()
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0, visibility_timeout_seconds=60))
    fetch_ahead(queue, bench)

    bench.clock.now += 14
    bench.receiver.extend_held()
    before = list(queue.extended)
    bench.clock.now += 2
    bench.receiver.extend_held()

    assert before == []
    assert handles(queue.extended) == ["1-0", "1-1"]


def test_what_was_extended_is_handed_out_after_its_first_time_out() -> None:
    queue = PendingQueue()
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0, visibility_timeout_seconds=60))
    fetch_ahead(queue, bench)
    bench.clock.now += 40
    bench.receiver.extend_held()
    bench.clock.now += 40

    messages = bench.receiver.receive()

    assert handles(messages) == ["1-0", "1-1"]


def test_what_may_be_visible_again_is_not_handed_out(caplog: pytest.LogCaptureFixture) -> None:
    queue = PendingQueue()
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0, visibility_timeout_seconds=60))
    fetch_ahead(queue, bench)
    bench.clock.now += 60

    messages = bench.receiver.receive()

    assert messages == []
    assert "2 messages waited beyond their visibility time-out, and come back" in caplog.text


def test_what_nobody_takes_for_long_is_given_back_and_nothing_more_is_received() -> None:
    queue = PendingQueue()
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0, visibility_timeout_seconds=60, hold_seconds=90))
    fetch_ahead(queue, bench)
    for _ in range(5):
        bench.clock.now += 20
        bench.receiver.extend_held()

    assert handles(queue.extended) == 4 * ["1-0", "1-1"]
    assert handles(queue.given_back) == ["1-0", "1-1"]
    assert len(queue.receives) == 2


def test_once_stopped_what_was_fetched_ahead_is_given_back_without_anybody_asking() -> None:
    queue = PendingQueue()
    bench = Bench(queue, ReceiveSettings(micro_batch_seconds=0, visibility_timeout_seconds=60))
    fetch_ahead(queue, bench)

    bench.stopping.set()
    bench.receiver.extend_held()

    assert handles(queue.given_back) == ["1-0", "1-1"]


def test_no_further_receive_begins_once_sixteen_megabytes_are_held() -> None:
    bench = Bench(ScriptedQueue(*[1] * 1000, body="x" * (8 * 1024 * 1024)), ReceiveSettings())

    assert len(bench.receiver.receive()) == 2


def test_no_more_is_handed_out_than_sixteen_megabytes_have_room_for() -> None:
    bench = Bench(ScriptedQueue(*[FULL] * 1000, body="x" * (1024 * 1024)), ReceiveSettings())

    assert all(len(bench.receiver.receive()) <= 16 + FULL for _ in range(3))


@contextlib.contextmanager
def running(receiver: MicroBatchReceiver) -> Iterator[Future[list[SqsMessage]]]:
    """Receive one micro-batch in a thread of its own."""
    with ThreadPoolExecutor(1) as poller:
        yield poller.submit(receiver.receive)


def fetch_ahead(queue: PendingQueue, bench: Bench) -> None:
    """Have one micro-batch handed out, and two messages of the next one waiting."""
    with running(bench.receiver) as batch:
        await_until(lambda: len(queue.receives) == 1, "the first long poll is under way")
        queue.answer(0, 1)
        assert len(batch.result(timeout=10)) == 1
    queue.answer(1, 2)
