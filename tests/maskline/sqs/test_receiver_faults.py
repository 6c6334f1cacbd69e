"""Receiving from a queue that fails: what is waited for, what is tried again, and what is kept."""

from __future__ import annotations

import logging
import threading
import time

import pytest

from maskline.errors import QueueError, QueueUnavailableError
from maskline.records import SqsMessage
from maskline.sqs.failures import OverLimitError
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings
from tests.maskline.sqs.faults import Answer, FaultyQueue, HastyEvent, some_messages

OUTAGE = QueueUnavailableError("queue logins: SQS did not answer (EndpointConnectionError)")
OVER_LIMIT = OverLimitError("queue logins: too many messages in flight (OverLimit)")
GONE = QueueError("queue logins: does not exist")


def test_an_outage_is_waited_out() -> None:
    answers: list[Answer] = [OUTAGE, OUTAGE, OUTAGE, some_messages(1)]
    queue = FaultyQueue(receive=lambda number: answers[number] if number < 4 else [])

    messages = received(queue, HastyEvent(), ReceiveSettings(micro_batch_size=1, micro_batch_seconds=0))

    assert len(messages) == 1
    assert len(queue.received) == 4 + 1  # one for the next micro-batch


def test_an_outage_longer_than_the_retries_is_reported() -> None:
    queue = FaultyQueue(receive=lambda number: OUTAGE)
    started = time.monotonic()

    with pytest.raises(QueueUnavailableError, match=r"SQS did not answer \(EndpointConnectionError\)"):
        received(queue, HastyEvent(), ReceiveSettings(retry_seconds=1))

    assert time.monotonic() - started >= 1
    assert len(queue.received) >= 3


def test_without_retries_the_first_failure_is_reported() -> None:
    queue = FaultyQueue(receive=lambda number: OUTAGE)

    with pytest.raises(QueueUnavailableError):
        received(queue, HastyEvent(), ReceiveSettings(retry_seconds=0))

    assert len(queue.received) == 1


def test_each_retry_is_logged_with_what_went_wrong(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Answer] = [OUTAGE, some_messages(1)]
    queue = FaultyQueue(receive=lambda number: answers[number] if number < 2 else [])

    with caplog.at_level(logging.WARNING):
        received(queue, HastyEvent(), ReceiveSettings(micro_batch_size=1))

    assert caplog.messages == [
        "receiving failed, trying again: queue logins: SQS did not answer (EndpointConnectionError)"
    ]


def test_stopped_during_an_outage_it_ends_without_an_error() -> None:
    stopping = HastyEvent()

    def stopped_in_the_second(number: int) -> Answer:
        if number == 1:
            stopping.set()
        return OUTAGE

    queue = FaultyQueue(receive=stopped_in_the_second)

    messages = received(queue, stopping, ReceiveSettings(retry_seconds=2))

    assert messages == []
    assert len(queue.received) == 2


def test_too_many_messages_in_flight_pauses_receiving(caplog: pytest.LogCaptureFixture) -> None:
    queue = FaultyQueue(receive=lambda number: OVER_LIMIT)
    stopping = HastyEvent()

    with caplog.at_level(logging.WARNING):
        messages = received(queue, stopping, ReceiveSettings(retry_seconds=2))

    assert messages == []
    assert len(queue.received) == 1
    assert stopping.waits == [1.0]
    assert caplog.messages == ["receiving paused: queue logins: too many messages in flight (OverLimit)"]


@pytest.mark.parametrize("failure", [OUTAGE, OVER_LIMIT, GONE], ids=["outage", "over limit", "gone"])
@pytest.mark.parametrize("number_of_failure", [1, 2, 3])
def test_a_failure_while_filling_loses_nothing_that_was_received(failure: Exception, number_of_failure: int) -> None:
    queue = FaultyQueue(receive=lambda number: failure if number == number_of_failure else some_messages(10))

    messages = received(queue, HastyEvent(), ReceiveSettings(micro_batch_size=100, micro_batch_seconds=1))

    assert len(messages) == 10 * number_of_failure


def test_what_only_a_person_can_fix_is_not_tried_again() -> None:
    queue = FaultyQueue(receive=lambda number: GONE)

    with pytest.raises(QueueError) as failed:
        received(queue, HastyEvent(), ReceiveSettings(retry_seconds=2))

    assert failed.value is GONE
    assert len(queue.received) == 1


@pytest.mark.parametrize("failure", [OUTAGE, GONE], ids=["outage", "gone"])
def test_what_went_wrong_while_filling_is_reported_by_the_next_micro_batch(failure: Exception) -> None:
    queue = FaultyQueue(receive=lambda number: failure if number else some_messages(10))
    settings = ReceiveSettings(micro_batch_size=11, micro_batch_seconds=0.1, retry_seconds=0)
    receiver = MicroBatchReceiver(queue, settings, HastyEvent())

    first = receiver.receive()
    with pytest.raises(type(failure), match=str(failure).split("(")[0]):
        receiver.receive()
    receiver.close()

    assert len(first) == 10


def received(queue: FaultyQueue, stopping: threading.Event, settings: ReceiveSettings) -> list[SqsMessage]:
    """Receive one micro-batch, and let the threads go."""
    receiver = MicroBatchReceiver(queue, settings, stopping)
    try:
        return receiver.receive()
    finally:
        receiver.close()
