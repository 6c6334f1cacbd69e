"""Sending to a local queue faster than any job can empty it: SQS's JSON protocol, unsigned, over a kept connection."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import msgspec

from maskline.errors import QueueUnavailableError

SENDERS = 4
MAX_REQUEST_BYTES = 256 * 1024
"""What one request may hold, all its messages together: SQS's limit of old, which ElasticMQ keeps."""

MAX_ENTRIES = 10

T = TypeVar("T")


class SqsRequests:
    """A connection to an SQS API that checks no signatures, one for each thread.

    Args:
        endpoint: The URL of the API.
    """

    def __init__(self, endpoint: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=60)

    def __enter__(self) -> SqsRequests:
        """Connect; without Nagle's algorithm, which would hold a body back for 40 ms."""
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self

    def __exit__(self, *_: object) -> None:
        """Close the connection."""
        self._connection.close()

    def call(self, operation: str, document: dict[str, Any]) -> dict[str, Any]:
        """Make one request and return the answer.

        Args:
            operation: ``SendMessageBatch``, say.
            document: The request.

        Raises:
            QueueUnavailableError: The server refused it.
        """
        headers = {"Content-Type": "application/x-amz-json-1.0", "X-Amz-Target": f"AmazonSQS.{operation}"}
        self._connection.request("POST", "/", msgspec.json.encode(document), headers)
        response = self._connection.getresponse()
        answer = response.read()
        if response.status != 200:
            raise QueueUnavailableError(f"{operation}: the server answers with status {response.status}")
        return dict(msgspec.json.decode(answer))

    def send(self, queue_url: str, bodies: Iterable[str]) -> None:
        """Send messages in one request.

        Args:
            queue_url: The queue.
            bodies: Ten at most, and `MAX_REQUEST_BYTES` together.

        Raises:
            QueueUnavailableError: The server did not take them all.
        """
        entries = [{"Id": str(place), "MessageBody": body} for place, body in enumerate(bodies)]
        answer = self.call("SendMessageBatch", {"QueueUrl": queue_url, "Entries": entries})
        if len(answer["Successful"]) != len(entries):
            raise QueueUnavailableError("SendMessageBatch: the server did not take every message")


def preload(
    endpoint: str, queue_url: str, bodies: Iterable[str], on_sent: Callable[[int], None] = lambda _count: None
) -> None:
    """Send messages as fast as the server takes them.

    Args:
        endpoint: The URL of its API.
        queue_url: The queue.
        bodies: The messages.
        on_sent: Called with the number of messages of each request that was answered.

    Raises:
        QueueUnavailableError: The server did not take them all.
    """
    requests = Shared(in_requests(bodies))

    def send() -> None:
        with SqsRequests(endpoint) as connection:
            for request in requests:
                connection.send(queue_url, request)
                on_sent(len(request))

    with ThreadPoolExecutor(SENDERS, thread_name_prefix="preload") as threads:
        for sending in [threads.submit(send) for _ in range(SENDERS)]:
            sending.result()


def in_requests(bodies: Iterable[str]) -> Iterator[list[str]]:
    """Cut messages into what one request may carry.

    Args:
        bodies: The messages, of ASCII characters.
    """
    request: list[str] = []
    size = 0
    for body in bodies:
        if request and (len(request) == MAX_ENTRIES or size + len(body) > MAX_REQUEST_BYTES):
            yield request
            request, size = [], 0
        request.append(body)
        size += len(body)
    if request:
        yield request


class Shared(Generic[T]):
    """An iterator that several threads take from.

    Args:
        values: What they take.
    """

    def __init__(self, values: Iterable[T]) -> None:
        self._values = iter(values)
        self._lock = threading.Lock()

    def __next__(self) -> T:
        """Return the next value, each to one thread."""
        with self._lock:
            return next(self._values)

    def __iter__(self) -> Iterator[T]:
        """Return it."""
        return self
