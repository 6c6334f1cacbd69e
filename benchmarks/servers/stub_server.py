"""The process of the stub: SQS's JSON protocol over HTTP/1.1, by hand, for it must cost less than any client.

``python -m benchmarks.servers.stub_server PORT MILLISECONDS`` serves on loopback until it is killed, and answers after
so many milliseconds.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable

import msgspec

from benchmarks.servers.stub_queue import QueueRequest, StubQueue

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_OPERATION = re.compile(rb"\r\nx-amz-target: *AmazonSQS\.(\w+)", re.IGNORECASE)
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
        self._long_polls: dict[str, list[LongPoll]] = {}

    def answer(self, operation: str, request: QueueRequest, respond: Respond) -> None:
        """Answer a request, at once or, where it is a long poll of an empty queue, later.

        Args:
            operation: ``ReceiveMessage``, say.
            request: The request.
            respond: Sends a status and a body.
        """
        name = request.QueueName or request.QueueUrl.rpartition("/")[2]
        if operation == "CreateQueue":
            self._queues.setdefault(name, StubQueue())
        queue = self._queues.get(name)
        if queue is None:
            respond(400, _error("QueueDoesNotExist"))
        elif operation in ("CreateQueue", "GetQueueUrl"):
            url = f"http://127.0.0.1:{self._port}/000000000000/{name}"
            respond(200, msgspec.json.encode({"QueueUrl": url}))
        elif operation == "ReceiveMessage":
            self._receive(name, queue, request, respond)
        elif operation == "SendMessageBatch":
            respond(200, queue.send(request))
            for long_poll in self._long_polls.pop(name, ()):
                long_poll.end()
        else:
            respond(*_other(operation, queue, request))

    def _receive(self, name: str, queue: StubQueue, request: QueueRequest, respond: Respond) -> None:
        if request.WaitTimeSeconds and queue.is_empty:
            poll = LongPoll(lambda: respond(200, queue.receive(request.MaxNumberOfMessages)), request.WaitTimeSeconds)
            self._long_polls.setdefault(name, []).append(poll)
        else:
            respond(200, queue.receive(request.MaxNumberOfMessages))


class LongPoll:
    """A request that is answered when a message comes, or when its time is over.

    Args:
        answer: Answers it.
        seconds: The time.
    """

    def __init__(self, answer: Callable[[], None], seconds: float) -> None:
        self._answer = answer
        self._has_ended = False
        self._timer = asyncio.get_running_loop().call_later(seconds, self.end)

    def end(self) -> None:
        """Answer, if it was not answered before."""
        if not self._has_ended:
            self._has_ended = True
            self._timer.cancel()
            self._answer()


Respond = Callable[[int, bytes], None]


class Connection(asyncio.Protocol):
    """One connection: requests one after another, each answered before the next is read.

    Args:
        queues: What answers.
        seconds: How long an answer takes.
    """

    def __init__(self, queues: Queues, seconds: float) -> None:
        self._queues = queues
        self._seconds = seconds
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what to answer over."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._received += data
        head, found, rest = self._received.partition(_END_OF_HEAD)
        if not found:
            return
        length = _LENGTH.search(head)
        body_bytes = int(length[1]) if length else 0
        if len(rest) < body_bytes:
            return
        self._received = rest[body_bytes:]
        operation = _OPERATION.search(head)
        if operation is None:
            self._respond(400, _error("InvalidAction"))
        else:
            self._queues.answer(operation[1].decode(), _decode(rest[:body_bytes]), self._respond)

    def _respond(self, status: int, body: bytes) -> None:
        if self._seconds:
            asyncio.get_running_loop().call_later(self._seconds, self._write, status, body)
        else:
            self._write(status, body)

    def _write(self, status: int, body: bytes) -> None:
        if not self._transport.is_closing():
            head = (
                b"HTTP/1.1 %d -\r\nContent-Type: application/x-amz-json-1.0\r\n"
                b"x-amzn-RequestId: stub\r\nContent-Length: %d\r\n\r\n"
            )
            self._transport.write(head % (status, len(body)) + body)


def _other(operation: str, queue: StubQueue, request: QueueRequest) -> tuple[int, bytes]:
    if operation == "DeleteMessageBatch":
        return 200, queue.delete(request)
    if operation == "ChangeMessageVisibilityBatch":
        return 200, queue.extend(request)
    if operation == "GetQueueAttributes":
        return 200, queue.attributes()
    return 400, _error("InvalidAction")


def _error(code: str) -> bytes:
    return msgspec.json.encode({"__type": f"com.amazonaws.sqs#{code}", "message": "the stub does not know it"})


async def serve(port: int, milliseconds: int) -> None:
    """Serve until cancelled.

    Args:
        port: The port of loopback.
        milliseconds: How long an answer takes.
    """
    queues = Queues(port)
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(queues, milliseconds / 1000), "127.0.0.1", port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
