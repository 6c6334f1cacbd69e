"""The process of the stub: SQS's JSON protocol over HTTP/1.1, by hand, for it must cost less than any client.

``python -m benchmarks.servers.stub_server PORT MILLISECONDS`` serves on loopback until its standard input ends, and
answers after so many milliseconds.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import threading
from collections import deque
from collections.abc import Callable

import msgspec

from benchmarks.servers.stub_queue import QueueRequest, StubQueue

LOOK_SECONDS = 0.2
"""How soon a long poll gets a message that has become visible again."""

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"\r\nx-amz-target: *AmazonSQS\.(\w+)", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect: *100-continue", re.IGNORECASE)
_END_OF_HEAD = b"\r\n\r\n"

_decode = msgspec.json.Decoder(QueueRequest).decode


class Queues:
    """The queues by name, and who waits for a message of each.

    Args:
        port: Where they are served, for their URLs.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._queues: dict[str, StubQueue] = {}
        self._long_polls: dict[str, deque[LongPoll]] = {}

    def answer(self, operation: str, request: QueueRequest, connection: Connection) -> None:
        """Answer a request, at once or, where it is a long poll of an empty queue, later.

        Args:
            operation: ``ReceiveMessage``, say.
            request: The request.
            connection: Where it came from.
        """
        name = request.QueueName or request.QueueUrl.rpartition("/")[2]
        if operation == "CreateQueue":
            self._queues.setdefault(name, StubQueue())
        queue = self._queues.get(name)
        if operation == "ListQueues":
            connection.respond(200, msgspec.json.encode({"QueueUrls": [self._url(name) for name in self._queues]}))
        elif queue is None:
            connection.respond(400, _error("QueueDoesNotExist"))
        elif operation in ("CreateQueue", "GetQueueUrl"):
            connection.respond(200, msgspec.json.encode({"QueueUrl": self._url(name)}))
        elif operation == "ReceiveMessage":
            self._receive(name, queue, request, connection)
        elif operation in _ANSWERS:
            connection.respond(200, _ANSWERS[operation](queue, request))
            self._answer_long_polls(name)
        else:
            connection.respond(400, _error("InvalidAction"))

    def look(self) -> None:
        """Answer the long polls whose queue has messages that became visible again."""
        for name in list(self._long_polls):
            self._answer_long_polls(name)

    def _url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._port}/000000000000/{name}"

    def _receive(self, name: str, queue: StubQueue, request: QueueRequest, connection: Connection) -> None:
        if request.WaitTimeSeconds and queue.is_empty:
            poll = LongPoll(connection, request)
            poll.answer_after(request.WaitTimeSeconds, queue)
            self._long_polls.setdefault(name, deque()).append(poll)
        else:
            connection.respond(200, queue.receive(request))

    def _answer_long_polls(self, name: str) -> None:
        polls = self._long_polls.get(name)
        while polls and (polls[0].is_over or not self._queues[name].is_empty):
            polls.popleft().answer(self._queues[name])


class LongPoll:
    """A request that is answered when a message comes, or when its time is over. Whoever went away takes no message.

    Args:
        connection: Where it came from.
        request: The request.
    """

    def __init__(self, connection: Connection, request: QueueRequest) -> None:
        self._connection = connection
        self._request = request
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        """Whether it was answered, or nobody waits for its answer any more."""
        return self._has_ended or self._connection.is_lost

    def answer_after(self, seconds: float, queue: StubQueue) -> None:
        """Answer it after so many seconds, unless it was answered before."""
        self._timer = asyncio.get_running_loop().call_later(seconds, self.answer, queue)

    def answer(self, queue: StubQueue) -> None:
        """Answer it with what there is now, unless it is over."""
        if not self.is_over:
            self._has_ended = True
            self._timer.cancel()
            self._connection.respond(200, queue.receive(self._request))


class Connection(asyncio.Protocol):
    """One connection: requests one after another, each answered before the next is looked at.

    Args:
        queues: What answers.
        seconds: How far away it is: how long an answer takes beyond what it waits for.
    """

    def __init__(self, queues: Queues, seconds: float) -> None:
        self._queues = queues
        self._seconds = seconds
        self._received = b""
        self._is_answering = False
        self._has_body = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def eof_received(self) -> None:
        """Have the connection closed, as nobody waits for answers any more."""

    @property
    def is_lost(self) -> bool:
        """Whether the client went away."""
        return self._transport.is_closing()

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._received += data
        self._answer_next()

    def respond(self, status: int, body: bytes) -> None:
        """Answer the request, as far away as the queue is."""
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._write, status, body)
        else:
            self._write(status, body)

    def _answer_next(self) -> None:
        head, found, rest = self._received.partition(_END_OF_HEAD)
        if self._is_answering or not found:
            return
        length = _LENGTH.search(head)
        body_bytes = int(length[1]) if length else 0
        if len(rest) < body_bytes:
            if not rest and _EXPECTS.search(head):
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            return
        self._received = rest[body_bytes:]
        self._is_answering = True
        self._has_body = not head.startswith(b"HEAD ")
        operation = _OPERATION.search(head)
        if operation is None:
            self.respond(400, _error("InvalidAction"))
            return
        try:
            request = _decode(rest[:body_bytes])
        except msgspec.DecodeError:
            self.respond(400, _error("SerializationException"))
            return
        self._queues.answer(operation[1].decode(), request, self)

    def _write(self, status: int, body: bytes) -> None:
        self._is_answering = False
        if self._transport.is_closing():
            return
        head = (
            b"HTTP/1.1 %d -\r\nContent-Type: application/x-amz-json-1.0\r\n"
            b"x-amzn-RequestId: stub\r\nContent-Length: %d\r\n\r\n"
        )
        self._transport.write(head % (status, len(body)) + (body if self._has_body else b""))
        if self._received:
            asyncio.get_running_loop().call_soon(self._answer_next)


_ANSWERS: dict[str, Callable[[StubQueue, QueueRequest], bytes]] = {
    "SendMessage": StubQueue.send_one,
    "SendMessageBatch": StubQueue.send,
    "DeleteMessage": StubQueue.delete_one,
    "DeleteMessageBatch": StubQueue.delete,
    "ChangeMessageVisibility": StubQueue.extend_one,
    "ChangeMessageVisibilityBatch": StubQueue.extend,
    "GetQueueAttributes": lambda queue, _request: queue.attributes(),
}
"""What answers each operation that is neither about a queue itself nor a receive."""


def _error(code: str) -> bytes:
    return msgspec.json.encode({"__type": f"com.amazonaws.sqs#{code}", "message": "the stub does not know it"})


async def serve(port: int, milliseconds: int) -> None:
    """Serve until canceled.

    Args:
        port: The port of loopback.
        milliseconds: How long an answer takes.
    """
    queues = Queues(port)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(queues, milliseconds / 1000), "127.0.0.1", port
    )
    async with server:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            queues.look()


def _end_with_standard_input() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
