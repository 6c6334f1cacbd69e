"""However SQS fails, `SqsQueue` ends the same over libcurl as over boto3, after at most one request more."""

from __future__ import annotations

import json
import logging
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from maskline.errors import QueueUnavailableError
from maskline.logs import silence_wire_logging
from maskline.records import Receipt, SqsMessage
from maskline.sqs import DeleteFailure, SqsQueue
from tests.faults import sqs_faults
from tests.faults.sqs_proxy import SqsFault, SqsRequest
from tests.maskline.sqs.recording_server import Answer, RecordingServer, saying
from tests.maskline.sqs.transports import WAYS, connected, end_of, session_with

pytestmark = pytest.mark.usefixtures("sqs")  # in the environment: no proxy on loopback

MESSAGE = {
    "MessageId": "424cdd21-063a-43a7-b91b-7ca1a833afae",
    "ReceiptHandle": "handle",
    "Body": '{"device_id": "593-47-5928"}',
    "Attributes": {"SentTimestamp": "1769860800000", "ApproximateReceiveCount": "1"},
}
RECEIPTS = [Receipt("message", "handle")]
CALLS: dict[str, Callable[[SqsQueue], object]] = {
    "receive": lambda queue: queue.receive(10, 0, 60),
    "delete": lambda queue: queue.delete(RECEIPTS),
    "extend": lambda queue: queue.extend(RECEIPTS, 60),
}


def of_the_suite(fault: SqsFault) -> Answer:
    """Return the answer of one of the fault suite's faults that ask no server."""

    def no_server(content: object) -> object:
        raise AssertionError("this fault asks the server")

    answer = fault(SqsRequest("ReceiveMessage", {}, no_server))  # type: ignore[arg-type]
    return Answer(answer.content, f"{answer.status} -", answer.headers)


ACCESS_DENIED = {
    "500": (of_the_suite(sqs_faults.INTERNAL_ERROR), "Unavailable", "SQS answered InternalError (HTTP 500)"),
    "503": (of_the_suite(sqs_faults.SERVICE_UNAVAILABLE), "Unavailable", "SQS answered ServiceUnavailable (HTTP 503)"),
    "502 of a gateway": (of_the_suite(sqs_faults.gateway_page), "Unavailable", "SQS answered 502 (HTTP 502)"),
    "throttled": (of_the_suite(sqs_faults.THROTTLED), "Unavailable", "SQS answered RequestThrottled (HTTP 403)"),
    "over limit": (of_the_suite(sqs_faults.OVER_LIMIT), "OverLimitError", "too many messages in flight (OverLimit)"),
    "no permission": (
        of_the_suite(sqs_faults.ACCESS_DENIED),
        "QueueError",
        "SQS refuses these credentials (AccessDenied)",
    ),
    "expired": (of_the_suite(sqs_faults.EXPIRED_CREDENTIALS), "QueueError", "these credentials (ExpiredToken)"),
    "clock": (of_the_suite(sqs_faults.CLOCK_TOO_FAR_OFF), "QueueError", "set this machine's clock"),
    "skewed": (of_the_suite(sqs_faults.error("RequestTimeTooSkewed", 403)), "QueueError", "set this machine's clock"),
    "no queue": (of_the_suite(sqs_faults.NO_SUCH_QUEUE), "QueueError", "does not exist"),
    "redirect": (Answer(status="301 -", headers={"Location": "/elsewhere"}), "Unavailable", "(HTTP 301)"),
    "no UTF-8": (Answer(b'{"Messages": "\xff"}'), "Unavailable", "the answer cannot be read"),
    "half a pair in UTF-8": (Answer(b'{"Messages": "\xed\xa0\x80"}'), "Unavailable", "the answer cannot be read"),
    "truncated": (Answer(b'{"Messages": [', length=1000, ends=True), "Unavailable", "SQS did not answer"),
    "reset": (Answer(b'{"Messages": [', length=1000, resets=True), "Unavailable", "SQS did not answer"),
    "ended": (Answer(b"", "100 Continue", ends=True), "Unavailable", "SQS did not answer"),
}
"""An answer, the error it becomes, and what that says."""

NOTHING_SAID = {
    "page": of_the_suite(sqs_faults.not_sqs),
    "nothing": Answer(b""),
    "byte order mark": Answer(b'\xef\xbb\xbf{"Successful": [{"Id": "0"}]}'),
    "nulls": saying({"Messages": None, "Successful": None, "Failed": None}),
    "unknown members": saying({"Message": [MESSAGE], "Success": 1}),
}
"""Answers with status 200 that say of nothing that it was done."""

OF_ANOTHER_SHAPE = {
    "a list": Answer(b"[]"),
    "UTF-16": Answer('{"Messages": [], "Successful": [{"Id": "0"}]}'.encode("utf-16")),
    "no lists": saying({"Messages": "x", "Successful": "x"}),
    "no messages": saying({"Messages": ["x"], "Successful": ["x"]}),
}
"""Answers with status 200 that are JSON, or nearly so, and none of SQS's."""


def ends(answer: Answer) -> tuple[list[str], list[str]]:
    """Return how the calls end over boto3 and over libcurl, which may ask once more each than boto3 does."""
    with RecordingServer(lambda request: answer) as server, connected(server.endpoint) as connections:
        over_boto3 = [end_of(call, connections.queue("boto3", "logins")) for call in CALLS.values()]
        assert len(server.requests) == len(CALLS)
        over_curl = [end_of(call, connections.queue("libcurl", "logins")) for call in CALLS.values()]
        assert len(server.requests) in (2 * len(CALLS), 3 * len(CALLS))
    return over_boto3, over_curl


@pytest.mark.parametrize("name", ACCESS_DENIED)
def test_a_refusal_is_the_same_error(name: str) -> None:
    answer, kind, says = ACCESS_DENIED[name]
    over_boto3, over_curl = ends(answer)

    assert over_curl == over_boto3
    assert [kind in end.partition(":")[0] and says in end for end in over_curl] == [True, True, True], over_curl


@pytest.mark.parametrize("name", NOTHING_SAID)
def test_what_is_no_answer_brings_nothing_and_deletes_nothing(name: str) -> None:
    not_deleted = [DeleteFailure(RECEIPTS[0], "unknown", is_final=False)]

    over_boto3, over_curl = ends(NOTHING_SAID[name])

    assert over_curl == over_boto3 == ["brings []", f"brings {not_deleted}", f"brings {not_deleted}"]


@pytest.mark.parametrize("name", OF_ANOTHER_SHAPE)
def test_an_answer_of_another_shape_ends_the_same(name: str) -> None:
    over_boto3, over_curl = ends(OF_ANOTHER_SHAPE[name])

    assert over_curl == over_boto3 == 3 * ["QueueUnavailableError: queue logins: the answer cannot be read"]


def test_where_nobody_listens_it_is_the_same_error() -> None:
    with RecordingServer() as server:
        endpoint = server.endpoint
    with connected(endpoint) as connections:
        over = [end_of(CALLS["receive"], connections.queue(way, "logins")) for way in WAYS]

    assert over == 2 * ["QueueUnavailableError: queue logins: SQS did not answer (EndpointConnectionError)"]


def test_silence_is_given_up_as_boto3_does() -> None:
    with (
        RecordingServer(lambda request: Answer(is_silent=True)) as server,
        connected(server.endpoint, seconds=0.5, connect_seconds=5) as connections,
    ):
        over = [end_of(CALLS["receive"], connections.queue(way, "logins")) for way in WAYS]

    assert over == 2 * ["QueueUnavailableError: queue logins: SQS did not answer (ReadTimeoutError)"]
    assert len(server.requests) == 1 + 2


def received_after(first: Answer, connect_seconds: float) -> list[SqsMessage]:
    """Receive over libcurl, which has this answer, and then over boto3, which has an empty one.

    In a thread: pytest cannot interrupt what waits in libcurl.
    """
    answers = iter([first, Answer()])
    with (
        ThreadPoolExecutor(1) as threads,
        RecordingServer(lambda request: next(answers)) as server,
        connected(server.endpoint, seconds=2, connect_seconds=connect_seconds) as connections,
    ):
        return threads.submit(connections.queue("libcurl", "logins").receive, 10, 0, 60).result(timeout=30)


@pytest.mark.slow
def test_silence_is_given_up_before_the_longest_call_is_over() -> None:
    assert received_after(Answer(is_silent=True), connect_seconds=100) == []


def test_an_answer_without_an_end_is_given_up() -> None:
    assert received_after(Answer(b"{", trickles=True), connect_seconds=0.5) == []


def test_what_fails_once_is_asked_for_once_more_and_without_a_pause() -> None:
    unavailable = ACCESS_DENIED["503"][0]
    answers = iter([unavailable, saying({"Messages": [MESSAGE]})])
    with RecordingServer(lambda request: next(answers)) as server, connected(server.endpoint) as connections:
        messages = connections.queue("libcurl", "logins").receive(10, 0, 60)

    assert len(messages) == 1
    assert len(server.requests) == 2


def test_what_goes_on_failing_is_tried_by_aws_s_rules_and_one_time_more() -> None:
    unavailable = ACCESS_DENIED["503"][0]
    counts = []
    for way in WAYS:
        with (
            RecordingServer(lambda request: unavailable) as server,
            connected(server.endpoint, attempts=2) as connections,
        ):
            with pytest.raises(QueueUnavailableError, match="ServiceUnavailable"):
                connections.queue(way, "logins").receive(10, 0, 60)
            counts.append(len(server.requests))

    assert counts == [2, 3]


def test_half_a_surrogate_pair_does_not_lose_the_messages_beside_it() -> None:
    bodies = ["one", "two \ud83d", "three"]
    answer = saying({"Messages": [MESSAGE | {"Body": body} for body in bodies]})
    with RecordingServer(lambda request: answer) as server, connected(server.endpoint) as connections:
        received = [connections.queue(way, "logins").receive(10, 0, 60) for way in WAYS]

    assert [[message.body for message in messages] for messages in received] == [bodies, bodies]
    assert len(server.requests) == 2


def test_half_a_surrogate_pair_in_a_handle_is_no_error_of_its_own() -> None:
    receipts = [Receipt("message", "handle \ud83d")]
    answer = saying({"Successful": [{"Id": "0"}]})
    with RecordingServer(lambda request: answer) as server, connected(server.endpoint) as connections:
        failures = [connections.queue(way, "logins").delete(receipts) for way in WAYS]

    assert failures == [[], []]
    assert [json.loads(request.body)["Entries"][0]["ReceiptHandle"] for request in server.requests] == 2 * [
        "handle \ud83d"
    ]


def test_a_message_is_what_it_is_over_boto3() -> None:
    answer = saying({"Messages": [MESSAGE]})
    with RecordingServer(lambda request: answer) as server, connected(server.endpoint) as connections:
        received = [connections.queue(way, "logins").receive(10, 0, 60) for way in WAYS]

    sent_at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    message = SqsMessage(MESSAGE["MessageId"], "handle", MESSAGE["Body"], sent_at, 1)  # type: ignore[arg-type]
    assert received == [[message], [message]]


@pytest.mark.parametrize("name", [*ACCESS_DENIED, *NOTHING_SAID])
def test_neither_logs_nor_errors_say_what_is_secret(
    name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    secrets = ("AKIDEXAMPLE", "wJalrXUtnFEMI", "IQoJb3JpZ2lu", "593-47-5928", "the-handle")
    silence_wire_logging()
    answer = ACCESS_DENIED[name][0] if name in ACCESS_DENIED else NOTHING_SAID[name]
    answers = iter([saying({"Messages": [MESSAGE]}), *(3 * [answer])])
    said = []
    with (
        caplog.at_level(logging.DEBUG),
        RecordingServer(lambda request: next(answers)) as server,
        connected(server.endpoint, session_with(*secrets[:3])) as connections,
    ):
        queue = connections.queue("libcurl", "logins")
        queue.receive(10, 0, 60)
        try:
            queue.delete([Receipt("message", secrets[-1])])
        except Exception as error:
            said = traceback.format_exception(error)
        said += [repr(connections.transport), str(connections.transport.__dict__)]

    shown = "".join([*said, caplog.text, *capfd.readouterr()])
    assert [secret for secret in secrets if secret in shown] == []
    assert "DeleteMessageBatch goes by way of boto3: " in caplog.text or name in ("nulls", "unknown members")
