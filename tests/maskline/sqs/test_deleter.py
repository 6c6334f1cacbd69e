"""Deleting many messages: what is tried again, and what is reported."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

import pytest

from maskline.errors import QueueError, QueueUnavailableError
from maskline.records import Receipt
from maskline.sqs import DeleteFailure, SqsQueue
from maskline.sqs.deleter import BatchDeleter
from tests.maskline.sqs.faults import FaultyQueue, HastyEvent, receipts_of, some_receipts


def test_any_number_of_messages_is_deleted(queue: SqsQueue) -> None:
    queue.send(["x"] * 105)
    receipts = receipts_of([message for _ in range(11) for message in queue.receive(10, 0, 60)])

    failures = deleted(queue, receipts)

    assert len(receipts) == 105
    assert failures == []
    assert queue.depth().total == 0


def test_each_message_is_asked_for_once_in_requests_of_ten() -> None:
    queue = FaultyQueue()
    receipts = some_receipts(25)

    deleted(queue, receipts)

    assert sorted(len(request) for request in queue.deleted) == [5, 10, 10]
    assert {receipt for request in queue.deleted for receipt in request} == set(receipts)


def test_nothing_to_delete_asks_for_nothing() -> None:
    queue = FaultyQueue()

    failures = deleted(queue, [])

    assert failures == []
    assert queue.deleted == []


def test_a_handle_that_is_no_more_good_is_reported_and_the_rest_deleted(queue: SqsQueue) -> None:
    queue.send(["x"] * 11)
    receipts = receipts_of([message for _ in range(2) for message in queue.receive(10, 0, 60)])
    nonsense = Receipt("00000000-0000-0000-0000-000000000001", "nonsense")

    failures = deleted(queue, [nonsense, *receipts])

    assert failures == [DeleteFailure(nonsense, "ReceiptHandleIsInvalid", is_final=True)]
    assert queue.depth().total == 0


def test_only_what_failed_is_tried_again() -> None:
    receipts = some_receipts(10)
    passing = [DeleteFailure(receipt, "InternalError", is_final=False) for receipt in receipts[3:5]]
    queue = FaultyQueue(delete=lambda number, asked: passing if number == 0 else [])

    failures = deleted(queue, receipts)

    assert failures == []
    assert queue.deleted == [receipts, receipts[3:5]]


def test_what_must_fail_again_is_not_tried_again() -> None:
    receipts = some_receipts(10)
    final = DeleteFailure(receipts[7], "ReceiptHandleIsInvalid", is_final=True)
    queue = FaultyQueue(delete=lambda number, asked: [final])

    failures = deleted(queue, receipts)

    assert failures == [final]
    assert len(queue.deleted) == 1


def test_a_final_failure_beside_a_passing_one_is_reported_once() -> None:
    receipts = some_receipts(10)
    final = DeleteFailure(receipts[7], "ReceiptHandleIsInvalid", is_final=True)
    passing = DeleteFailure(receipts[2], "InternalError", is_final=False)
    queue = FaultyQueue(delete=lambda number, asked: [passing, final] if number == 0 else [])

    failures = deleted(queue, receipts)

    assert failures == [final]
    assert queue.deleted == [receipts, [receipts[2]]]


def test_an_outage_ends_after_four_tries_and_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    def failing(number: int, asked: Sequence[Receipt]) -> list[DeleteFailure]:
        raise QueueUnavailableError("queue logins: SQS did not answer (ReadTimeoutError)")

    queue = FaultyQueue(delete=failing)
    receipts = some_receipts(3)

    with caplog.at_level(logging.WARNING):
        failures = deleted(queue, receipts)

    assert queue.deleted == [receipts] * 4
    assert [failure.receipt for failure in failures] == receipts
    assert not any(failure.is_final for failure in failures)
    assert caplog.messages == [
        "3 of 3 messages not deleted, they will come back: queue logins: SQS did not answer (ReadTimeoutError)"
    ]


def test_one_request_that_fails_leaves_the_others_deleted() -> None:
    receipts = some_receipts(25)

    def failing_for_the_last(number: int, asked: Sequence[Receipt]) -> list[DeleteFailure]:
        return [DeleteFailure(receipt, "InternalError", is_final=False) for receipt in asked if len(asked) == 5]

    queue = FaultyQueue(delete=failing_for_the_last)

    failures = deleted(queue, receipts)

    assert [failure.receipt for failure in failures] == receipts[20:]
    assert sorted(len(request) for request in queue.deleted) == [5, 5, 5, 5, 10, 10]


def test_the_waits_between_tries_grow_and_end_when_the_job_stops() -> None:
    queue = FaultyQueue(delete=lambda number, asked: [DeleteFailure(asked[0], "InternalError", is_final=False)])
    stopping = HastyEvent()

    deleted(queue, some_receipts(1), stopping)

    first, second, third = stopping.waits
    assert first <= 0.1
    assert second <= 0.2
    assert third <= 0.4


@pytest.mark.parametrize("count", [1, 25])
def test_a_queue_that_is_gone_stops_the_job(count: int) -> None:
    def gone(number: int, asked: Sequence[Receipt]) -> list[DeleteFailure]:
        raise QueueError("queue logins: does not exist")

    with pytest.raises(QueueError, match="queue logins: does not exist"):
        deleted(FaultyQueue(delete=gone), some_receipts(count))


def deleted(
    queue: SqsQueue | FaultyQueue, receipts: Sequence[Receipt], stopping: threading.Event | None = None
) -> list[DeleteFailure]:
    """Delete messages."""
    return BatchDeleter(queue, stopping or HastyEvent()).start(receipts).failures()
