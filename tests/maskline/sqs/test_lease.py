"""Keeping messages invisible while their rows are being written."""

from __future__ import annotations

import logging
import pickle
import threading
from collections.abc import Callable

import pytest

from maskline.errors import QueueError, QueueUnavailableError, UsageError
from maskline.sqs import DeleteFailure, QueueAddress, SqsQueue
from maskline.sqs.in_flight import InFlight
from maskline.sqs.lease import VisibilityLease
from tests.awaiting import await_until
from tests.maskline.sqs.faults import Clock, FaultyQueue, receipts_of, some_receipts

LOGINS, ORDERS = QueueAddress("logins"), QueueAddress("orders")


class Ticks:
    """Waits that are over at once, a number of them; the next lasts until the work is done.

    Args:
        count: How many.
    """

    def __init__(self, count: int) -> None:
        self._left = count
        self.seconds: list[float] = []

    def __call__(self, finished: threading.Event, seconds: float) -> bool:
        self.seconds.append(seconds)
        self._left -= 1
        return finished.wait(0 if self._left >= 0 else None)


def test_messages_stay_invisible_beyond_their_time_out(queue: SqsQueue) -> None:
    queue.send(["x"] * 12)
    held = receipts_of([message for _ in range(2) for message in queue.receive(10, 0, 3)])
    ticks = Ticks(1)
    lease = VisibilityLease(LOGINS, 30, lambda _: queue, wait=ticks)

    with lease.held(held):
        await_until(lambda: len(ticks.seconds) == 2, "the lease was extended")
        came_back = queue.receive(10, 4, 30)

    assert len(held) == 12
    assert came_back == []


def test_released_messages_are_visible_at_once(queue: SqsQueue) -> None:
    queue.send(["x"] * 12)
    held = receipts_of([message for _ in range(2) for message in queue.receive(10, 0, 600)])
    lease = VisibilityLease(LOGINS, 600, lambda _: queue)

    lease.release(held)

    again = [message for _ in range(2) for message in queue.receive(10, 0, 600)]
    assert [message.receive_count for message in again] == [2] * 12


def test_released_with_them_is_all_else_of_their_queue_that_is_in_flight() -> None:
    first, second = some_receipts(2)
    queue, in_flight = FaultyQueue(), InFlight()
    in_flight.add(LOGINS, [second])

    VisibilityLease(LOGINS, 600, lambda _: queue).release([first], in_flight)

    assert queue.extended == [([second, first], 0)]


def test_in_flight_is_still_what_was_not_released() -> None:
    released, refused = some_receipts(2)
    queue = FaultyQueue(extend=lambda receipts: [DeleteFailure(refused, "Stale", is_final=True)])
    in_flight = InFlight()
    in_flight.add(LOGINS, [released, refused])

    VisibilityLease(LOGINS, 600, lambda _: queue).release([], in_flight)

    assert in_flight.including(LOGINS, []) == [refused]


def test_extended_with_them_is_all_else_of_their_queue_and_nothing_of_another() -> None:
    in_commit, behind, another = some_receipts(3)
    queue, ticks, in_flight = FaultyQueue(), Ticks(1), InFlight()
    in_flight.add(LOGINS, [behind])
    in_flight.add(ORDERS, [another])
    lease = VisibilityLease(LOGINS, 90, lambda _: queue, wait=ticks)

    with lease.held([in_commit], in_flight):
        await_until(lambda: len(ticks.seconds) == 2, "the lease was extended")
    lease.release([in_commit], in_flight)

    assert queue.extended == [([behind, in_commit], 90), ([behind, in_commit], 0)]


def test_the_time_out_is_set_anew_when_a_third_of_it_is_over() -> None:
    queue, ticks = FaultyQueue(), Ticks(3)
    receipts = some_receipts(2)
    lease = VisibilityLease(LOGINS, 90, lambda _: queue, wait=ticks)

    with lease.held(receipts):
        await_until(lambda: len(ticks.seconds) == 4, "the lease was extended three times")

    assert ticks.seconds == [30, 30, 30, 30]
    assert queue.extended == [(receipts, 90)] * 3


def test_it_stops_when_the_work_is_done() -> None:
    queue = FaultyQueue()
    lease = VisibilityLease(LOGINS, 90, lambda _: queue)

    with lease.held(some_receipts(2)):
        during = [thread.name for thread in threading.enumerate()]
    after = [thread.name for thread in threading.enumerate()]

    assert "visibility-lease" in during
    assert "visibility-lease" not in after
    assert queue.extended == []


def test_it_stops_when_the_work_fails() -> None:
    lease = VisibilityLease(LOGINS, 90, lambda _: FaultyQueue())

    with pytest.raises(ZeroDivisionError), lease.held(some_receipts(2)):
        raise ZeroDivisionError

    assert "visibility-lease" not in [thread.name for thread in threading.enumerate()]


def test_quick_work_never_opens_the_queue() -> None:
    opened: list[bool] = []

    def open_queue(_: QueueAddress) -> FaultyQueue:
        opened.append(True)
        return FaultyQueue()

    with VisibilityLease(LOGINS, 90, open_queue).held(some_receipts(2)):
        pass

    assert opened == []


def test_an_outage_of_the_queue_is_logged_and_the_next_extension_tried(caplog: pytest.LogCaptureFixture) -> None:
    def failing(receipts: object) -> list[DeleteFailure]:
        raise QueueUnavailableError("queue logins: SQS did not answer (ReadTimeoutError)")

    queue, ticks = FaultyQueue(extend=failing), Ticks(2)

    with (
        caplog.at_level(logging.WARNING),
        VisibilityLease(LOGINS, 90, lambda _: queue, wait=ticks).held(some_receipts(3)),
    ):
        await_until(lambda: len(ticks.seconds) == 3, "the lease was extended twice")

    assert len(queue.extended) == 2
    assert caplog.messages == [
        "visibility of 3 messages not changed: queue logins: SQS did not answer (ReadTimeoutError)",
        "visibility of 3 messages not changed: queue logins: SQS did not answer (ReadTimeoutError)",
    ]


def test_a_queue_that_cannot_be_opened_is_logged_and_the_work_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    def nowhere(_: QueueAddress) -> FaultyQueue:
        raise QueueError("queue logins: does not exist")

    with caplog.at_level(logging.WARNING):
        VisibilityLease(LOGINS, 90, nowhere).release(some_receipts(1))

    assert caplog.messages == ["visibility of 1 messages not changed: queue logins: does not exist"]


def test_messages_that_cannot_be_extended_are_logged_by_code(caplog: pytest.LogCaptureFixture) -> None:
    first, second, third = some_receipts(3)
    refused = [DeleteFailure(first, "Stale", is_final=True), DeleteFailure(third, "MessageNotInflight", is_final=True)]
    queue = FaultyQueue(extend=lambda receipts: refused)

    with caplog.at_level(logging.WARNING):
        VisibilityLease(LOGINS, 90, lambda _: queue).release([first, second, third])

    assert caplog.messages == ["visibility of 2 of 3 messages not changed: MessageNotInflight, Stale"]


def test_it_travels_to_a_worker(queue: SqsQueue, queue_address: QueueAddress) -> None:
    queue.send(["x"])
    held = receipts_of(queue.receive(10, 0, 600))
    lease = VisibilityLease(queue_address, 600)

    pickle.loads(pickle.dumps(lease)).release(held)

    assert queue.depth().visible == 1


@pytest.mark.parametrize("seconds", [0, -1, 43_201])
def test_a_time_out_that_sqs_does_not_take_is_refused(seconds: int) -> None:
    with pytest.raises(UsageError, match=f"visibility_timeout_seconds is {seconds}; SQS takes 1 to 43200"):
        VisibilityLease(LOGINS, seconds)


def test_work_that_does_not_get_on_keeps_its_messages_from_nobody(caplog: pytest.LogCaptureFixture) -> None:
    clock, queue, ticks = Clock(), FaultyQueue(), Ticks(3)
    receipts = some_receipts(2)

    def wait(finished: threading.Event, seconds: float) -> bool:
        clock.advance(seconds)
        return ticks(finished, seconds)

    lease = VisibilityLease(LOGINS, 90, lambda _: queue, wait=wait, clock=clock)
    with caplog.at_level(logging.WARNING), lease.held(receipts, max_stall_seconds=60):
        await_until(lambda: "visibility-lease" not in [thread.name for thread in threading.enumerate()], "it gave up")

    assert queue.extended == [(receipts, 90)] * 2
    assert caplog.messages == ["2 messages are left to whoever receives them next: nothing was written for 60 s"]


def test_work_that_gets_on_keeps_its_messages_however_long_it_takes() -> None:
    clock, queue, ticks = Clock(), FaultyQueue(), Ticks(10)
    receipts = some_receipts(2)
    on_progress: list[Callable[[], None]] = []
    begun = threading.Event()

    def wait(finished: threading.Event, seconds: float) -> bool:
        assert begun.wait(10)
        clock.advance(seconds)
        if len(ticks.seconds) % 2:
            on_progress[0]()
        return ticks(finished, seconds)

    lease = VisibilityLease(LOGINS, 90, lambda _: queue, wait=wait, clock=clock)
    with lease.held(receipts, max_stall_seconds=100) as progress:
        on_progress.append(progress)
        begun.set()
        await_until(lambda: len(ticks.seconds) == 11, "the lease was extended ten times")

    assert queue.extended == [(receipts, 90)] * 10


def test_a_queue_that_hangs_holds_up_no_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.sqs.lease.MAX_JOIN_SECONDS", 0.1)
    asked, answered = threading.Event(), threading.Event()

    def hang(receipts: object) -> list[DeleteFailure]:
        asked.set()
        answered.wait(30)
        return []

    lease = VisibilityLease(LOGINS, 90, lambda _: FaultyQueue(extend=hang), wait=Ticks(1))
    with lease.held(some_receipts(2)):
        assert asked.wait(10)

    assert not answered.is_set()
    answered.set()
