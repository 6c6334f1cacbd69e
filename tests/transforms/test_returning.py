"""Messages that no stream takes are given back: at once at first, later each time, and all of them in the end."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import wait
from typing import cast

import pytest

from maskline.errors import QueueError, QueueUnavailableError
from maskline.records import LeftMessage, Receipt
from maskline.sqs import QueueAddress
from maskline.sqs.client import DeleteFailure, Queue
from maskline.transforms.returning import _Return
from maskline.transforms.run_context import RunContext

LOGINS = QueueAddress("logins")


class RecordingQueue:
    """A queue that remembers what was asked of it, and may fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.extended: list[tuple[list[str], int]] = []
        self._error = error

    def extend(self, receipts: Sequence[Receipt], seconds: int) -> list[DeleteFailure]:
        if self._error is not None:
            raise self._error
        self.extended.append(([receipt.message_id for receipt in receipts], seconds))
        return []


def left(message_id: str, receive_count: int) -> LeftMessage:
    """Return a message that no stream takes."""
    return LeftMessage(Receipt(message_id, f"handle-{message_id}-{receive_count}"), receive_count)


def returning(queue: RecordingQueue, context: RunContext) -> _Return:
    """Return the DoFn, ready."""
    fn = _Return(LOGINS, context, lambda _: cast("Queue", queue))
    fn.setup()
    return fn


def test_they_are_given_back_by_how_often_they_came_and_are_no_longer_in_flight() -> None:
    queue, context = RecordingQueue(), RunContext(tracks_in_flight=True)
    messages = [left("a", 1), left("b", 3), left("c", 1)]
    context.in_flight.add(LOGINS, [message.receipt for message in messages])

    returning(queue, context).process(messages)

    assert queue.extended == [(["a", "c"], 0), (["b"], 2)]
    assert context.in_flight.count() == 0
    assert all(message_id in context.left for message_id in "abc")
    assert context.tally.counts()["left"] == 3


def test_what_is_still_hidden_in_the_end_is_made_visible() -> None:
    queue = RecordingQueue()
    fn = returning(queue, RunContext())
    fn.process([left("a", 1), left("b", 8)])

    fn.teardown()

    assert queue.extended[-1] == (["b"], 0)


def test_what_is_still_hidden_when_a_runner_ends_without_teardown_is_made_visible() -> None:
    queue, context = RecordingQueue(), RunContext()
    returning(queue, context).process([left("a", 1), left("b", 8)])

    wait(context.close_keepers(), 60)

    assert queue.extended[-1] == (["b"], 0)


def test_a_queue_that_does_not_answer_stops_nothing_for_they_come_back_by_themselves() -> None:
    returning(RecordingQueue(QueueUnavailableError("queue logins: SQS did not answer")), RunContext()).process(
        [left("a", 1)]
    )


def test_a_queue_that_refuses_ends_the_run() -> None:
    context = RunContext()

    with pytest.raises(QueueError):
        returning(RecordingQueue(QueueError("queue logins: does not exist")), context).process([left("a", 1)])

    assert isinstance(context.failure, QueueError)
