"""The stub speaks SQS' JSON protocol as far as the job does."""

from __future__ import annotations

import hashlib
import threading
import uuid

import pytest

from benchmarks.servers.stub import StubSqs
from benchmarks.sqs_requests import preload
from maskline.errors import QueueError
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.records import Receipt
from maskline.sqs import QueueAddress, QueueDepth, SqsQueue


@pytest.fixture
def stub_queue(stub: StubSqs, sqs: EmbeddedSqs) -> SqsQueue:
    """An empty queue of the stub; `sqs` puts credentials into the environment."""
    return SqsQueue.open(QueueAddress(stub.create_queue(f"test-{uuid.uuid4().hex}"), stub.endpoint))


def test_messages_are_received_once_and_deleted(stub_queue: SqsQueue) -> None:
    bodies = [f'{{"n": "{number}", "text": "ü"}}' for number in range(12)]
    message_ids = stub_queue.send(bodies)

    received = [*stub_queue.receive(10, 0, 60), *stub_queue.receive(10, 0, 60)]

    assert [(message.message_id, message.body) for message in received] == list(zip(message_ids, bodies, strict=True))
    assert stub_queue.depth() == QueueDepth(visible=0, in_flight=12, delayed=0)
    receipts = [Receipt(message.message_id, message.receipt_handle) for message in received]
    assert stub_queue.extend(receipts, 60) == []
    assert stub_queue.delete(receipts) == []
    assert stub_queue.depth().total == 0


def test_a_long_poll_waits_for_a_message(stub_queue: SqsQueue) -> None:
    received: list[str] = []
    poll = threading.Thread(target=lambda: received.extend(m.body for m in stub_queue.receive(10, 20, 60)))
    poll.start()

    stub_queue.send(["late"])

    poll.join(10)
    assert received == ["late"]


def test_a_long_poll_of_an_empty_queue_ends(stub_queue: SqsQueue) -> None:
    assert stub_queue.receive(10, 1, 60) == []


def test_a_queue_is_found_by_name_and_one_that_is_not_there_is_not(stub: StubSqs, stub_queue: SqsQueue) -> None:
    name = stub_queue.url.rpartition("/")[2]

    assert SqsQueue.open(QueueAddress(name, stub.endpoint)).url == stub_queue.url
    with pytest.raises(QueueError, match="other"):
        SqsQueue.open(QueueAddress("other", stub.endpoint))


def test_the_digest_is_that_of_the_body(stub: StubSqs, sqs: EmbeddedSqs) -> None:
    import boto3

    client = boto3.client("sqs", endpoint_url=stub.endpoint)
    url = client.create_queue(QueueName="digests")["QueueUrl"]
    client.send_message_batch(QueueUrl=url, Entries=[{"Id": "1", "MessageBody": "text"}])

    (message,) = client.receive_message(QueueUrl=url)["Messages"]

    client.close()
    assert message["MD5OfBody"] == hashlib.md5(b"text", usedforsecurity=False).hexdigest()


def test_a_queue_is_filled_from_several_connections_at_once(stub: StubSqs, stub_queue: SqsQueue) -> None:
    counts: list[int] = []

    preload(stub.endpoint, stub_queue.url, (f"message {number}" for number in range(1_234)), counts.append)

    assert stub_queue.depth().visible == 1_234 == sum(counts)
