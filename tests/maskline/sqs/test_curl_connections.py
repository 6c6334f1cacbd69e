"""`CurlTransport` keeps connections alive, and each is one call's at a time."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.connections import MAX_WAIT_SECONDS, shared_connections
from tests.maskline.sqs.recording_server import Answer, RecordedRequest, RecordingServer, saying
from tests.maskline.sqs.transports import connected

pytestmark = pytest.mark.usefixtures("sqs")  # in the environment: credentials, and no proxy on loopback


def echo(request: RecordedRequest) -> Answer:
    """Answer with a message that says which queue was asked for."""
    return saying({"Messages": [{"Body": json.loads(request.body)["QueueUrl"]}]})


def body_of(answer: dict[str, Any]) -> str:
    return str(answer["Messages"][0]["Body"])


def test_calls_of_all_kinds_one_after_another_have_one_connection() -> None:
    with RecordingServer() as server, connected(server.endpoint) as connections:
        for _ in range(10):
            connections.curl.receive_message(QueueUrl="logins")
            connections.curl.delete_message_batch(QueueUrl="logins", Entries=[])
            connections.curl.change_message_visibility_batch(QueueUrl="logins", Entries=[])

    assert [request.headers["x-amz-target"] for request in server.requests[:3]] == [
        "AmazonSQS.ReceiveMessage",
        "AmazonSQS.DeleteMessageBatch",
        "AmazonSQS.ChangeMessageVisibilityBatch",
    ]
    assert len(server.requests) == 30
    assert server.accepted == 1
    assert connections.fallback.asked == 0


def test_a_call_has_its_own_deadlines_whatever_its_connection_was_used_for_before() -> None:
    waited = threading.Event()

    def answer_long_polls_after_two_seconds(request: RecordedRequest) -> Answer:
        waited.wait(json.loads(request.body)["WaitTimeSeconds"] / 2)
        return Answer()

    with (
        RecordingServer(answer_long_polls_after_two_seconds) as server,
        connected(server.endpoint, seconds=0.5, connect_seconds=5) as connections,
    ):
        queue = connections.queue("libcurl", "logins")
        answers = [queue.receive(10, wait_seconds, 60) for wait_seconds in (0, 4, 0)]

    assert answers == [[], [], []]
    assert server.accepted == 1
    assert connections.fallback.asked == 0


def test_a_refused_call_keeps_its_connection() -> None:
    def refuse_receives(request: RecordedRequest) -> Answer:
        return Answer(status="503 -" if request.headers["x-amz-target"].endswith("ReceiveMessage") else "200 OK")

    with RecordingServer(refuse_receives) as server, connected(server.endpoint) as connections:
        for _ in range(3):
            connections.curl.delete_message_batch(QueueUrl="logins", Entries=[])
            with pytest.raises(Exception, match="503"):
                connections.curl.receive_message(QueueUrl="logins")

    assert server.accepted == 2  # libcurl's and boto3's


def test_a_connection_that_the_server_ended_is_made_anew_without_boto3() -> None:
    with (
        RecordingServer(lambda request: Answer(b"{}", headers={"Connection": "close"}, ends=True)) as server,
        connected(server.endpoint) as connections,
    ):
        answers = [connections.curl.receive_message(QueueUrl="logins") for _ in range(5)]

    assert answers == 5 * [{}]
    assert server.accepted == 5
    assert connections.fallback.asked == 0


def test_after_an_answer_that_broke_off_the_next_call_has_its_own() -> None:
    def break_off(request: RecordedRequest) -> Answer:
        if "amz-sdk-request" in request.headers:
            return saying({"Messages": [{"Body": "over boto3"}]})
        whole = echo(request)
        is_first = request.body.count(b"first")
        return Answer(whole.body[:-1], length=len(whole.body), ends=True) if is_first else whole

    with RecordingServer(break_off) as server, connected(server.endpoint) as connections:
        bodies = [body_of(connections.curl.receive_message(QueueUrl=url)) for url in ("first", "second", "third")]

    assert bodies == ["over boto3", "second", "third"]
    assert server.accepted == 3  # the broken one, boto3's, and one more


def test_a_call_that_fails_while_connecting_leaves_nothing_behind() -> None:
    with RecordingServer(echo) as server:
        endpoint = server.endpoint
    with connected(endpoint) as connections:
        for _ in range(3):
            with pytest.raises(Exception, match="Could not connect"):
                connections.curl.receive_message(QueueUrl="logins")

        assert connections.fallback.asked == 3


def test_calls_at_the_same_time_have_a_connection_each_and_keep_it() -> None:
    calls = 8
    all_are_here = threading.Barrier(calls, timeout=30)

    def answer_when_all_are_here(request: RecordedRequest) -> Answer:
        all_are_here.wait()
        return echo(request)

    with RecordingServer(answer_when_all_are_here) as server, connected(server.endpoint) as connections:
        with ThreadPoolExecutor(calls) as threads:
            urls = [f"queue-{number}" for number in range(5 * calls)]
            bodies = [
                body_of(answer)
                for answer in threads.map(lambda url: connections.curl.receive_message(QueueUrl=url), urls)
            ]

        assert bodies == urls
        assert server.accepted == calls
        assert connections.fallback.asked == 0


@pytest.fixture
def threads_take_turns_all_the_time() -> Iterator[None]:
    """Let Python change threads after nearly every step, so that a race is lost sooner or later."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


@pytest.mark.usefixtures("threads_take_turns_all_the_time")
def test_threads_that_race_for_idle_connections_never_get_the_same() -> None:
    with RecordingServer(echo) as server, connected(server.endpoint) as connections:
        with ThreadPoolExecutor(6) as threads:
            urls = [f"queue-{number}" for number in range(600)]
            bodies = [
                body_of(answer)
                for answer in threads.map(lambda url: connections.curl.receive_message(QueueUrl=url), urls)
            ]

        assert bodies == urls
        assert server.accepted <= 6
        assert connections.fallback.asked == 0


def test_closing_ends_idle_connections_and_calls_may_go_on() -> None:
    with RecordingServer(echo) as server, connected(server.endpoint) as connections:
        for _ in range(2):
            connections.curl.receive_message(QueueUrl="logins")
            connections.transport.close()

    assert server.accepted == 2


def test_a_process_shares_connections_that_outwait_a_long_poll() -> None:
    with RecordingServer() as server:
        client, calls = shared_connections(server.endpoint, None)
        queues = [SqsQueue.open(QueueAddress(f"{server.endpoint}/1/{name}", server.endpoint)) for name in "ab"]
        for queue in queues:
            queue.receive(10, 0, 60)

        assert shared_connections(server.endpoint, None) == (client, calls)
        assert calls._boto3._client.meta.config.read_timeout > MAX_WAIT_SECONDS
        assert server.accepted == 1
        assert all("amz-sdk-request" not in request.headers for request in server.requests)
        calls.close()
