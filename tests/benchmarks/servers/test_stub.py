"""The stub speaks SQS' JSON protocol as far as the job does."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import uuid
from urllib.parse import urlsplit

import psutil
import pytest

from benchmarks.servers.stub import PROJECT, StubSqs
from benchmarks.sqs_requests import preload
from maskline.errors import QueueError
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.records import Receipt
from maskline.sqs import QueueAddress, QueueDepth, SqsQueue
from tests.awaiting import await_until


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


def test_a_message_that_is_not_deleted_comes_back_after_its_visibility_time_out(stub_queue: SqsQueue) -> None:
    stub_queue.send(["one"])
    (first,) = stub_queue.receive(10, 0, 1)

    assert stub_queue.receive(10, 0, 60) == []
    (again,) = stub_queue.receive(10, 5, 60)

    assert (again.message_id, again.receive_count) == (first.message_id, 2)


def test_a_message_that_is_given_back_is_there_at_once(stub_queue: SqsQueue) -> None:
    stub_queue.send(["one"])
    (first,) = stub_queue.receive(10, 0, 60)

    stub_queue.extend([Receipt(first.message_id, first.receipt_handle)], 0)

    assert [message.receive_count for message in stub_queue.receive(10, 0, 60)] == [2]


def test_a_long_poll_whose_client_went_away_takes_no_message(stub: StubSqs, stub_queue: SqsQueue) -> None:
    with connection(stub) as leaving:
        leaving.sendall(request("ReceiveMessage", {"QueueUrl": stub_queue.url, "WaitTimeSeconds": 20}))
    have_read(stub_queue)

    stub_queue.send(["one"])

    assert [message.body for message in stub_queue.receive(10, 5, 60)] == ["one"]


def test_only_as_many_long_polls_are_answered_as_messages_came(stub: StubSqs, stub_queue: SqsQueue) -> None:
    with connection(stub) as first, connection(stub) as second:
        for polling in (first, second):
            polling.sendall(request("ReceiveMessage", {"QueueUrl": stub_queue.url, "WaitTimeSeconds": 5}))
        have_read(stub_queue)

        stub_queue.send(["one"])

        answers = [polling.recv(65536) for polling in (first, second)]
    assert sorted(answer.count(b"MessageId") for answer in answers) == [0, 1]


def test_requests_sent_at_once_are_answered_one_after_another(stub: StubSqs, stub_queue: SqsQueue) -> None:
    name = stub_queue.url.rpartition("/")[2]
    with connection(stub) as pipelining:
        pipelining.sendall(2 * request("GetQueueUrl", {"QueueName": name}) + b"GET / HTTP/1.1\r\n\r\n")
        answers = b""
        while answers.count(b"HTTP/1.1 ") < 3 or not answers.endswith(b"}"):
            answers += pipelining.recv(65536)

    assert answers.count(b"HTTP/1.1 200") == 2
    assert b"InvalidAction" in answers


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_what_is_no_call_is_answered_with_an_error_and_the_connection_goes_on(stub: StubSqs, method: str) -> None:
    http_connection = http.client.HTTPConnection(urlsplit(stub.endpoint).netloc, timeout=10)
    for _ in range(2):
        http_connection.request(method, "/")
        response = http_connection.getresponse()
        content = response.read()

        assert response.status == 400
        assert (content == b"") == (method == "HEAD")
    http_connection.close()


@pytest.mark.parametrize(
    ("body", "code"), [(b"{", b"SerializationException"), (b'{"QueueUrl": "x/none"}', b"QueueDoesNotExist")]
)
def test_what_cannot_be_answered_is_an_error(stub: StubSqs, body: bytes, code: bytes) -> None:
    with connection(stub) as asking:
        asking.sendall(
            b"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.ReceiveMessage\r\nContent-Length: %d\r\n\r\n%b"
            % (len(body), body)
        )
        answer = asking.recv(65536)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert code in answer


def test_it_ends_with_who_started_it_even_where_that_is_killed() -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER], cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert starter.stdout is not None
    started = psutil.Process(int(starter.stdout.readline()))

    starter.kill()
    starter.communicate()

    await_until(lambda: not started.is_running() or started.status() == psutil.STATUS_ZOMBIE, "the stub has ended", 10)


STARTER = """
from benchmarks.servers.stub import StubSqs

with StubSqs() as stub:
    print(stub.pid, flush=True)
    input()
"""


def have_read(queue: SqsQueue) -> None:
    """Return when the stub has seen what was sent to it, or closed, before.

    What has come is read in one round of its loop, and an end behind it in the next; each of these answers takes one.
    """
    for _ in range(3):
        queue.depth()


def connection(stub: StubSqs) -> socket.socket:
    """Connect to the stub."""
    return socket.create_connection(("127.0.0.1", urlsplit(stub.endpoint).port or 0), timeout=10)


def request(operation: str, document: dict[str, object]) -> bytes:
    """Return a request as it is sent."""
    body = json.dumps(document).encode()
    head = f"POST / HTTP/1.1\r\nX-Amz-Target: AmazonSQS.{operation}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
