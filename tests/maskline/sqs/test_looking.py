"""Looking at messages: all come back at once, and none is lost to the dead-letter queue by it."""

from __future__ import annotations

import json
import uuid

import pytest

from maskline.errors import QueueError
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.looking import look


def with_dead_letters(sqs: EmbeddedSqs, queue: SqsQueue, max_receives: int) -> None:
    """Give a queue a dead-letter queue."""
    dead = SqsQueue.open(QueueAddress(sqs.create_queue(f"dead-{uuid.uuid4().hex}"), sqs.endpoint))
    policy = {"deadLetterTargetArn": dead.attributes()["QueueArn"], "maxReceiveCount": max_receives}
    queue._client.set_queue_attributes(QueueUrl=queue.url, Attributes={"RedrivePolicy": json.dumps(policy)})


def test_messages_are_visible_again_when_the_look_is_over(queue: SqsQueue) -> None:
    queue.send([str(number) for number in range(25)])

    looked = look(queue, 25)

    assert sorted(int(message.body) for message in looked.messages) == list(range(25))
    assert (queue.depth().visible, queue.depth().in_flight) == (25, 0)
    assert (looked.kept, looked.max_receives) == (0, None)


def test_no_more_is_looked_at_than_asked_for(queue: SqsQueue) -> None:
    queue.send(["1", "2", "3"])

    assert len(look(queue, 2).messages) == 2


def test_messages_come_back_when_the_look_breaks_off(queue: SqsQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    queue.send([str(number) for number in range(15)])
    receive, calls = queue.receive, iter([True])

    def receive_once(*arguments: int) -> object:
        if next(calls, False):
            return receive(*arguments)
        raise QueueError("queue: access denied")

    monkeypatch.setattr(queue, "receive", receive_once)

    with pytest.raises(QueueError, match="access denied"):
        look(queue, 15)
    assert (queue.depth().visible, queue.depth().in_flight) == (15, 0)


def test_a_queue_that_would_give_up_a_message_after_one_look_is_left_alone(sqs: EmbeddedSqs, queue: SqsQueue) -> None:
    with_dead_letters(sqs, queue, 1)
    queue.send(["1"])

    with pytest.raises(QueueError, match=r"^queue: moves a message to its dead-letter queue once it was received"):
        look(queue, 1)
    assert [message.receive_count for message in queue.receive(1, 1, 0)] == [1]


def test_how_often_a_message_may_be_received_is_told(sqs: EmbeddedSqs, queue: SqsQueue) -> None:
    with_dead_letters(sqs, queue, 5)
    queue.send(["1"])

    assert look(queue, 1).max_receives == 5
