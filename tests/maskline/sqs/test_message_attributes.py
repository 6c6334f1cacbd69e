"""Message attributes come where they are asked for, as text, and by either transport."""

from __future__ import annotations

import pytest

from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.message_attributes import text_attributes

ATTRIBUTES = {
    "tenant": {"DataType": "String", "StringValue": "eu"},
    "attempt": {"DataType": "Number", "StringValue": "3.50"},
    "digest": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    "other": {"DataType": "String", "StringValue": "x"},
}


@pytest.mark.parametrize("is_by_boto3", [True, False])
def test_what_is_asked_for_comes_and_nothing_else(
    queue: SqsQueue, queue_address: QueueAddress, is_by_boto3: bool
) -> None:
    names = frozenset({"tenant", "attempt", "digest", "not there"})
    asking = SqsQueue.open(queue_address, names)
    if is_by_boto3:
        asking = SqsQueue(asking._client, queue_address, asking.url, attribute_names=names)
    queue._client.send_message(QueueUrl=queue.url, MessageBody="{}", MessageAttributes=ATTRIBUTES)

    (message,) = asking.receive(10, 1, 60)

    assert message.attributes == {"tenant": "eu", "attempt": "3.50", "digest": "AP8="}


def test_nothing_comes_where_nothing_is_asked_for(queue: SqsQueue) -> None:
    queue._client.send_message(QueueUrl=queue.url, MessageBody="{}", MessageAttributes=ATTRIBUTES)

    (message,) = queue.receive(10, 1, 60)

    assert message.attributes is None


def test_a_message_without_attributes_has_none(queue: SqsQueue, queue_address: QueueAddress) -> None:
    queue.send(["{}"])

    (message,) = SqsQueue.open(queue_address, {"tenant"}).receive(10, 1, 60)

    assert message.attributes is None


def test_bytes_are_base64_whether_boto3_decoded_them_or_not() -> None:
    assert text_attributes({"a": {"BinaryValue": b"\x00\xff"}, "b": {"BinaryValue": "AP8="}}) == {
        "a": "AP8=",
        "b": "AP8=",
    }
