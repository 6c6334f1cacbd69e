"""What SQS answers on a bad day, as faults for `SqsProxy`.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import json
import threading
from typing import Any

from tests.faults.sqs_proxy import ConversationCut, SqsAnswer, SqsFault, SqsRequest

FOR_GOOD_SECONDS = 600
"""Longer than any test runs."""


def error(code: str, status: int, query_code: str | None = None) -> SqsFault:
    """Answer with an error of SQS.

    Args:
        code: Its code in the JSON protocol.
        status: The HTTP status.
        query_code: Its older code, where that is another one: clients see that.
    """
    content = json.dumps({"__type": f"com.amazonaws.sqs#{code}", "message": "as the fault suite says"}).encode()
    headers = {"Content-Type": "application/x-amz-json-1.0", "x-amzn-query-error": f"{query_code or code};Sender"}
    return lambda request: SqsAnswer(status, content, headers)


INTERNAL_ERROR = error("InternalError", 500)
SERVICE_UNAVAILABLE = error("ServiceUnavailable", 503)
THROTTLED = error("RequestThrottled", 403)
OVER_LIMIT = error("OverLimit", 403)
ACCESS_DENIED = error("AccessDeniedException", 403, "AccessDenied")
EXPIRED_CREDENTIALS = error("ExpiredToken", 403)
CLOCK_TOO_FAR_OFF = error("RequestExpired", 403)
NO_SUCH_QUEUE = error("QueueDoesNotExist", 400, "AWS.SimpleQueueService.NonExistentQueue")


def gateway_page(request: SqsRequest) -> SqsAnswer:
    """Answer what a load balancer in between says when nobody is behind it."""
    return SqsAnswer(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"Content-Type": "text/html"})


def not_sqs(request: SqsRequest) -> SqsAnswer:
    """Answer with success and a page, as a captive portal does."""
    return SqsAnswer(200, b"<html><body>Please log in</body></html>", {"Content-Type": "text/html"})


def empty(request: SqsRequest) -> SqsAnswer:
    """Answer that there is no message: what a long poll says, without an error, at the in-flight limit."""
    return SqsAnswer(200, b"{}", {"Content-Type": "application/x-amz-json-1.0"})


def cut_before(request: SqsRequest) -> SqsAnswer:
    """End the connection; SQS has not seen the request."""
    raise ConversationCut


def cut_after(request: SqsRequest) -> SqsAnswer:
    """End the connection after SQS did what it was asked: its answer is lost."""
    request.forward()
    raise ConversationCut


def no_answer(request: SqsRequest) -> SqsAnswer:
    """Do what was asked, and never say so; the client hangs up some time."""
    request.forward()
    threading.Event().wait(FOR_GOOD_SECONDS)
    raise ConversationCut


def truncated(request: SqsRequest) -> SqsAnswer:
    """Answer one half, and end the connection."""
    answer = request.forward()
    length = str(len(answer.content))
    return SqsAnswer(
        answer.status,
        answer.content[: len(answer.content) // 2],
        answer.headers | {"Content-Length": length, "Connection": "close"},
    )


def half_of_the_batch_fails(request: SqsRequest) -> SqsAnswer:
    """Let SQS do every second entry of a batch, and fail the others by its own fault."""
    entries: list[dict[str, Any]] = request.content["Entries"]
    answer = request.forward({**request.content, "Entries": entries[::2]}) if entries[::2] else empty(request)
    failed = [
        {"Id": entry["Id"], "Code": "InternalError", "SenderFault": False, "Message": ""} for entry in entries[1::2]
    ]
    return answer.saying({**answer.json(), "Failed": failed})


class Replay:
    """Delivers every message twice in one answer, and once more when SQS has long forgotten it."""

    def __init__(self) -> None:
        self._messages: list[dict[str, Any]] = []

    def remember_and_repeat(self, request: SqsRequest) -> SqsAnswer:
        """Answer every message two times, and remember it."""
        answer = request.forward()
        messages = list(answer.json().get("Messages") or ())
        self._messages.extend(messages)
        return answer.saying({"Messages": 2 * messages})

    def deliver(self, request: SqsRequest) -> SqsAnswer:
        """Answer with messages remembered, ten at a time, their receipt handles stale."""
        answer = empty(request)
        messages, self._messages = self._messages[:10], self._messages[10:]
        return answer.saying({"Messages": messages}) if messages else request.forward()

    @property
    def is_over(self) -> bool:
        """Whether all were delivered again."""
        return not self._messages


def sent_at(milliseconds: int) -> SqsFault:
    """Answer as SQS does, with messages that were sent at another time.

    Args:
        milliseconds: Since the epoch.
    """

    def answer(request: SqsRequest) -> SqsAnswer:
        answered = request.forward()
        content = answered.json()
        for message in content.get("Messages") or ():
            message["Attributes"]["SentTimestamp"] = str(milliseconds)
        return answered.saying(content)

    return answer


def with_the_body(body: str) -> SqsFault:
    """Answer as SQS does, with another body in the first message."""

    def answer(request: SqsRequest) -> SqsAnswer:
        answered = request.forward()
        content = answered.json()
        for message in list(content.get("Messages") or ())[:1]:
            message["Body"] = body
        return answered.saying(content)

    return answer


def invalid_utf_8(request: SqsRequest) -> SqsAnswer:
    """Answer with bytes that are no UTF-8."""
    answer = request.forward()
    return SqsAnswer(answer.status, answer.content.replace(b"android", b"andr\xff\xfed"), answer.headers)
