"""The calls that a job makes all the time, over libcurl; everything else, and every failure, is boto3's.

boto3 spends about a millisecond of CPU on a call, most of it on checking, serializing and signing in Python. libcurl
sends, signs and receives the same call in 30 µs.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

import botocore.session
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ConnectionClosedError

from maskline.sqs.address import CONNECTIONS
from maskline.sqs.curl_loop import CurlLoop, Handle
from maskline.sqs.curl_requests import CurlRequests, encode_request
from maskline.sqs.daemon_threads import DaemonThreads
from maskline.sqs.operations import RECEIVE, Operation, UnreadableAnswerError
from maskline.sqs.transports import Boto3Transport, Call, MapError

FALLBACK_THREADS = 8
ANSWER_SECONDS = 10.0

logger = logging.getLogger(__name__)

A = TypeVar("A")
T = TypeVar("T")


class CurlTransport:
    """Calls over kept-alive connections of libcurl, any number at a time, all driven by one thread. Thread-safe.

    *Guarantee*: it answers as boto3 does, and it raises what boto3 raises. A call that does not succeed at once,
    whatever the reason, is made once more by boto3, in a thread of its own, which decides by AWS's standard rules
    whether to try it again. So SQS may see one attempt more than boto3 alone would make; the errors and the back-off
    are boto3's own. Each attempt has deadlines for its connection, for its answer and for all of it.

    Credentials are botocore's, asked for at every call, so that those which expire are refreshed in time.

    Args:
        client: The boto3 SQS client whose endpoint and region are used, and which is fallen back on.
        session: The botocore session that the client was made from.
        connections: The most receives under way at the same time, and the most of all other calls together.
        answer_seconds: How long an answer may take, beyond the time that the call asks SQS to wait.
    """

    def __init__(
        self,
        client: Any,
        session: botocore.session.Session,
        connections: int = CONNECTIONS,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        self.connections = connections
        self.requests: Counter[str] = Counter()
        """How many requests libcurl has made, by operation; those of boto3's are not among them."""
        self._boto3 = Boto3Transport(client)
        self._credentials = session.get_credentials()
        self._requests = CurlRequests(client, session, answer_seconds)
        self._loop: CurlLoop[_CurlCall[Any, Any]] = CurlLoop(
            self._requests.new_handle, self._prepare, self._end, connections
        )
        self._threads = DaemonThreads(FALLBACK_THREADS, "sqs-fallback")
        self._endpoint = client.meta.endpoint_url

    def submit(
        self, operation: Operation[A], request: dict[str, Any], read: Callable[[A], T], map_error: MapError
    ) -> Future[T]:
        """Start a call."""
        call = _CurlCall(operation, request, read, map_error)
        if getattr(self._credentials, "refresh_needed", bool)():
            self._threads.submit(lambda: self._begin(call))  # renewing them may take as long as it likes
        else:
            self._begin(call)
        return call.future

    def close(self) -> None:
        """Close all connections; calls under way fail, and later ones open new connections."""
        self._loop.close()

    def _begin(self, call: _CurlCall[Any, Any]) -> None:
        if self._credentials is None:
            self._fall_back(call, "no credentials")
            return
        try:
            call.credentials = self._credentials.get_frozen_credentials()
            call.body = encode_request(call.request)
        except UnicodeEncodeError:  # its text would quote the request
            self._fall_back(call, "the request cannot be written")
            return
        except Exception as error:
            call.fail(error)
            return
        self._loop.start(call, lane=call.operation is RECEIVE)

    def _prepare(self, handle: Handle, call: _CurlCall[Any, Any]) -> None:
        name = call.operation.name
        self._requests.prepare(handle, call.credentials, name, call.body, call.request.get("WaitTimeSeconds", 0))
        self.requests[name] += 1

    def _end(self, call: _CurlCall[Any, Any], status: int, body: bytes) -> None:
        if status != 200:
            self._fall_back(call, f"HTTP status {status}" if status else body.decode())
            return
        try:
            answer = call.operation.decode(body)
        except UnreadableAnswerError:
            self._fall_back(call, "the answer is none of SQS's")
        else:
            call.succeed(answer)

    def _fall_back(self, call: _CurlCall[Any, Any], reason: str) -> None:
        if reason == "closed":
            call.fail(ConnectionClosedError(endpoint_url=self._endpoint))
            return
        logger.debug("%s goes by way of boto3: %s", call.operation.name, reason)
        self._threads.submit(lambda: self._boto3.make(call))


class _CurlCall(Call[A, T]):
    """A call, and what is sent."""

    __slots__ = ("body", "credentials")

    body: bytes
    credentials: ReadOnlyCredentials
