"""A FIFO queue is a queue like any other: each message becomes one row, and one that is sent back comes again."""

from __future__ import annotations

import uuid

import boto3
import pytest

from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue
from tests.e2e.queue_of_streams import ORDERS, QueueOfStreams, order


@pytest.fixture
def queue(sqs: EmbeddedSqs) -> SqsQueue:
    """A FIFO queue that takes equal bodies within five minutes for one message."""
    attributes = {"FifoQueue": "true", "ContentBasedDeduplication": "true"}
    url = sqs.create_queue(f"test-{uuid.uuid4().hex}.fifo", attributes)
    return SqsQueue.open(QueueAddress(url, sqs.endpoint))


def send_in_groups(queue: SqsQueue, sqs: EmbeddedSqs, bodies: list[str], groups: int) -> None:
    """Send messages as a producer that cares for their order does."""
    client = boto3.client("sqs", endpoint_url=sqs.endpoint)
    for number, body in enumerate(bodies):
        client.send_message(QueueUrl=queue.url, MessageBody=body, MessageGroupId=f"customer-{number % groups}")


def test_every_message_of_every_group_becomes_one_row(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, sqs: EmbeddedSqs, capsys: pytest.CaptureFixture[str]
) -> None:
    (orders,) = queue_of_streams.define(ORDERS)
    send_in_groups(queue, sqs, [order(number) for number in range(60)], groups=3)

    queue_of_streams.run([orders])

    assert queue_of_streams.sql("SELECT count(*), count(DISTINCT id) FROM shop.orders") == [(60, 60)]
    assert queue.depth().total == 0
    assert len(queue_of_streams.unmasked(orders, "masked_email", capsys)) == 60


def test_messages_that_are_sent_have_a_group_and_none_is_taken_for_another(queue: SqsQueue) -> None:
    message_ids = queue.send(["equal", "equal"])

    received = [*queue.receive(10, 0, 30), *queue.receive(10, 0, 30)]

    assert sorted(message.message_id for message in received) == sorted(message_ids)


def test_a_rejected_message_goes_back_to_the_fifo_queue_and_is_not_taken_for_the_one_it_was(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, sqs: EmbeddedSqs
) -> None:
    wrong, right = ORDERS.replace('field = "customer.email"', 'field = "mail"'), ORDERS
    send_in_groups(queue, sqs, [order(1)], groups=1)

    queue_of_streams.run(queue_of_streams.define(wrong))
    requeued = queue_of_streams.command(
        "rejects", "requeue", "--all", f"--queue_endpoint={sqs.endpoint}", "--reason=the definition was wrong"
    )
    queue_of_streams.run(queue_of_streams.define(right))

    assert requeued == 0
    assert queue_of_streams.sql("SELECT id FROM shop.orders") == [(1,)]
    assert queue.depth().total == 0
