"""What receives, deletes and extends, over boto3 or over libcurl, gives the same answers, whichever SQS API it asks."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from maskline.errors import QueueError
from maskline.records import Receipt
from tests.maskline.sqs.transports import WAYS, Connections, RawCalls, connected

APIS = {"ministack": "sqs", "moto": "aws_server", "ElasticMQ": "elasticmq"}
"""The fixture of each SQS API."""

LARGE = 200_000
"""Bytes: near SQS's limit for a message through most of its life."""


class Tried(msgspec.Struct, frozen=True):
    """A queue, and one of the ways to it.

    Attributes:
        way: One of `WAYS`.
        url: The queue.
        connections: Both ways.
    """

    way: str
    url: str
    connections: Connections

    @property
    def calls(self) -> RawCalls:
        """The way."""
        return self.connections.by(self.way)

    def send(self, *bodies: str) -> None:
        """Send messages."""
        for body in bodies:
            self.connections.client.send_message(QueueUrl=self.url, MessageBody=body)

    def receive(self, wait_seconds: int = 1, visibility_seconds: int = 60, most: int = 10) -> list[dict[str, Any]]:
        """Receive messages as `SqsQueue` does."""
        answer = self.calls.receive_message(
            QueueUrl=self.url,
            MaxNumberOfMessages=most,
            WaitTimeSeconds=wait_seconds,
            VisibilityTimeout=visibility_seconds,
            MessageSystemAttributeNames=["SentTimestamp", "ApproximateReceiveCount"],
        )
        return list(answer.get("Messages", ()))

    def delete(self, *handles: str) -> dict[str, Any]:
        """Delete deliveries."""
        entries = [{"Id": str(number), "ReceiptHandle": handle} for number, handle in enumerate(handles)]
        return answered(self.calls.delete_message_batch(QueueUrl=self.url, Entries=entries))

    def extend(self, seconds: int, *handles: str) -> dict[str, Any]:
        """Set the visibility time-out of deliveries anew."""
        entries = [
            {"Id": str(number), "ReceiptHandle": handle, "VisibilityTimeout": seconds}
            for number, handle in enumerate(handles)
        ]
        return answered(self.calls.change_message_visibility_batch(QueueUrl=self.url, Entries=entries))

    def depth(self) -> tuple[int, int]:
        """Return how many messages are visible and how many are in flight."""
        depth = self.connections.queue("boto3", self.url).depth()
        return depth.visible, depth.in_flight


@pytest.fixture(scope="module", params=[*list(APIS)[:2], pytest.param("ElasticMQ", marks=pytest.mark.slow)])
def connections(request: pytest.FixtureRequest, sqs: object) -> Iterator[Connections]:
    """Both ways to an SQS API; `sqs` puts credentials into the environment."""
    with connected(request.getfixturevalue(APIS[request.param]).endpoint) as connections:
        yield connections


@pytest.fixture
def both(connections: Connections) -> Iterator[list[Tried]]:
    """Both ways, each to an empty queue; over libcurl is not by way of boto3."""
    asked = connections.fallback.asked
    yield [Tried(way, new_queue(connections), connections) for way in WAYS]
    assert connections.fallback.asked == asked


@pytest.fixture(params=WAYS)
def tried(request: pytest.FixtureRequest, both: list[Tried]) -> Tried:
    """An empty queue, and a way to it."""
    return both[WAYS.index(request.param)]


def new_queue(connections: Connections) -> str:
    """Create a queue and return its URL."""
    return str(connections.client.create_queue(QueueName=f"calls-{uuid.uuid4().hex}")["QueueUrl"])


def answered(answer: dict[str, Any]) -> dict[str, Any]:
    """Return what an answer says of each entry: whether it was done, and if not, why."""
    said = {entry["Id"]: "done" for entry in answer.get("Successful", ())}
    return said | {entry["Id"]: (entry["Code"], entry["SenderFault"]) for entry in answer.get("Failed", ())}


def test_a_message_comes_with_all_that_the_job_reads(tried: Tried) -> None:
    tried.send('größe \U0001f511 \x7f \t\n " \\ \\u0000 \u2028 \ufffd')

    (message,) = tried.receive()

    assert message["Body"] == 'größe \U0001f511 \x7f \t\n " \\ \\u0000 \u2028 \ufffd'
    assert uuid.UUID(message["MessageId"])
    assert isinstance(message["ReceiptHandle"], str)
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert len(message["Attributes"]["SentTimestamp"]) == len("1767225600000")


def test_the_two_ways_bring_the_same_message_key_by_key(both: list[Tried]) -> None:
    fallback, by_curl = both
    fallback.send("one")

    (first,) = fallback.receive(visibility_seconds=0)
    (second,) = msgspec.structs.replace(by_curl, url=fallback.url).receive()

    differing = {"ReceiptHandle", "Attributes"}
    assert first.keys() == second.keys() >= {"MessageId", "Body", "MD5OfBody"} | differing
    assert {name: value for name, value in first.items() if name not in differing} == {
        name: value for name, value in second.items() if name not in differing
    }
    assert first["Attributes"] | {"ApproximateReceiveCount": "2"} == second["Attributes"]


def test_an_empty_queue_brings_nothing(tried: Tried) -> None:
    assert tried.receive(wait_seconds=0) == []


def test_a_long_poll_wakes_when_a_message_comes(tried: Tried) -> None:
    with ThreadPoolExecutor(1) as threads:
        polling = threads.submit(tried.receive, 20)
        tried.send("at last")

        (message,) = polling.result(timeout=15)

    assert message["Body"] == "at last"


def test_no_more_is_brought_than_was_asked_for_and_all_ten_are(tried: Tried) -> None:
    tried.send(*(f"body {number}" for number in range(13)))

    first, second = tried.receive(most=3), tried.receive(most=10)

    assert len(first) == 3
    assert {message["Body"] for message in first + second} == {f"body {number}" for number in range(13)}


def test_large_messages_come_whole(tried: Tried) -> None:
    bodies = [letter * LARGE for letter in "abc"] + ["ß" * (LARGE // 2)]
    tried.send(*bodies)

    received: list[dict[str, Any]] = []
    while len(received) < len(bodies) and (more := tried.receive()):
        received.extend(more)

    assert sorted(message["Body"] for message in received) == sorted(bodies)


def test_good_handles_are_deleted_beside_bad_ones(tried: Tried) -> None:
    tried.send("one", "two")
    good = [message["ReceiptHandle"] for message in tried.receive()]

    answers = tried.delete(good[0], "not-a-handle", good[1])

    assert (answers["0"], answers["2"]) == ("done", "done")
    assert answers["1"] == ("ReceiptHandleIsInvalid", True)
    assert tried.depth() == (0, 0)


def test_a_stale_handle_is_answered_the_same_by_both_ways(both: list[Tried]) -> None:
    answers = []
    for tried in both:
        tried.send("one")
        ((stale,), (current,)) = (tried.receive(visibility_seconds=seconds) for seconds in (0, 60))
        answers.append((tried.extend(0, stale["ReceiptHandle"]), tried.delete(stale["ReceiptHandle"])))
        tried.delete(current["ReceiptHandle"])

    assert answers[0] == answers[1]


def test_a_handle_of_another_queue_is_answered_the_same_by_both_ways(both: list[Tried]) -> None:
    answers = []
    for tried in both:
        tried.send("one")
        (foreign,) = tried.receive()
        other = msgspec.structs.replace(tried, url=new_queue(tried.connections))
        answers.append((other.extend(60, foreign["ReceiptHandle"]), other.delete(foreign["ReceiptHandle"])))
        assert tried.depth() == (0, 1)

    assert answers[0] == answers[1]


def test_a_visibility_of_nothing_makes_a_message_visible_at_once(tried: Tried) -> None:
    tried.send("one")
    (message,) = tried.receive()

    answers = tried.extend(0, message["ReceiptHandle"], "not-a-handle")

    assert answers == {"0": "done", "1": ("ReceiptHandleIsInvalid", True)}
    assert tried.depth() == (1, 0)


def test_a_later_visibility_keeps_a_message_hidden(tried: Tried) -> None:
    tried.send("extended", "not extended")
    received = {message["Body"]: message["ReceiptHandle"] for message in tried.receive(visibility_seconds=1)}

    answers = tried.extend(60, received["extended"])

    assert answers == {"0": "done"}
    assert [message["Body"] for message in tried.receive(wait_seconds=5)] == ["not extended"]
    assert tried.receive(wait_seconds=0) == []


@pytest.mark.parametrize("way", WAYS)
def test_a_queue_that_does_not_exist_is_said_by_every_call(connections: Connections, way: str) -> None:
    queue = connections.queue(way, f"{connections.client.meta.endpoint_url}/000000000000/no-such-queue")
    receipts = [Receipt("message", "not-a-handle")]

    for call in (
        lambda: queue.receive(10, 0, 60),
        lambda: queue.delete(receipts),
        lambda: queue.extend(receipts, 60),
    ):
        with pytest.raises(QueueError, match=r"^queue logins: does not exist; check its name"):
            call()
