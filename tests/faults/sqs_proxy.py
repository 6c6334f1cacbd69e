"""An HTTP proxy in front of an SQS API: it counts deliveries, and answers in the API's place what a fault says."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import threading
import time
from collections import Counter as Counts
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import msgspec

from maskline.sqs.client import RECEIPT_OF_NO_MESSAGE
from tests.faults.points import Hold

NO_ANSWER_SECONDS = 40
"""Longer than any client of ours waits."""


class ConversationCut(Exception):  # noqa: N818 - it is an event, and no error of the proxy's
    """Raised by a fault that ends the connection in place of an answer."""


class SqsAnswer(msgspec.Struct, frozen=True):
    """An answer of the API.

    Attributes:
        status: The HTTP status.
        content: What it says; JSON but for what is broken.
        headers: The headers that matter.
    """

    status: int
    content: bytes
    headers: dict[str, str] = {}

    def json(self) -> dict[str, Any]:
        """Return what it says."""
        return dict(json.loads(self.content or b"{}"))

    def saying(self, content: dict[str, Any]) -> SqsAnswer:
        """Return the same answer with other content."""
        return SqsAnswer(self.status, json.dumps(content).encode(), self.headers)


class SqsRequest:
    """A request on its way to the API.

    Args:
        action: ``ReceiveMessage`` say.
        content: What it asks.
        forward: Sends content to the API and returns its answer.
    """

    def __init__(self, action: str, content: dict[str, Any], forward: Callable[[dict[str, Any]], SqsAnswer]) -> None:
        self.action = action
        self.content = content
        self._forward = forward

    def forward(self, content: dict[str, Any] | None = None) -> SqsAnswer:
        """Ask the API, with other content if given."""
        return self._forward(self.content if content is None else content)


SqsFault = Callable[[SqsRequest], SqsAnswer]
"""Answers a request; it may ask the API or not, and may raise `ConversationCut`."""


class _Planned(msgspec.Struct):
    action: str
    fault: SqsFault
    times: float


class SqsProxy:
    """Forwards every request, until told otherwise.

    Args:
        endpoint: The URL of the API.
    """

    def __init__(self, endpoint: str) -> None:
        self.server_endpoint = endpoint
        self._lock = threading.Lock()
        self._planned: list[_Planned] = []
        self._holds: list[Hold] = []
        self.requests: Counts[str] = Counts()
        self.faults: Counts[str] = Counts()
        self.deliveries: Counts[str] = Counts()
        self.struck_at: float | None = None

    def __enter__(self) -> SqsProxy:
        """Listen on a free port."""
        self._http = _HttpServer(("127.0.0.1", 0), _Forwarder)
        self._http.proxy = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), name="sqs-proxy", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        for hold in self._holds:
            hold.release()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def endpoint(self) -> str:
        """The URL to give to a client."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def redelivered(self) -> int:
        """How many deliveries were of a message delivered before."""
        return self.deliveries.total() - len(self.deliveries)

    def inject(self, action: str, fault: SqsFault, times: float = 1) -> None:
        """Let a fault answer the next requests of an action.

        Args:
            action: ``ReceiveMessage`` say.
            fault: What answers.
            times: How many requests; infinity for all, until `heal`.
        """
        with self._lock:
            self._planned.append(_Planned(action, fault, times))

    def heal(self) -> None:
        """Take all faults back."""
        with self._lock:
            self._planned.clear()

    def hold_before(self, action: str, when: Callable[[], bool] = lambda: True) -> Hold:
        """Let requests of an action stand still before they reach the API.

        Args:
            action: ``ReceiveMessage`` say.
            when: Says of each request whether it has to.
        """
        hold = Hold()
        self._holds.append(hold)

        def answer(request: SqsRequest) -> SqsAnswer:
            if when():
                hold.reached.set()
                hold.released.wait(NO_ANSWER_SECONDS)
            if hold.is_dropped:
                raise ConversationCut
            return request.forward()

        self.inject(action, answer, times=float("inf"))
        return hold

    def answer(self, request: SqsRequest) -> SqsAnswer:
        """Answer a request as the API does, or as a fault does; what a check only tries neither counts nor fails."""
        if any(entry.get("ReceiptHandle") == RECEIPT_OF_NO_MESSAGE for entry in request.content.get("Entries", ())):
            return request.forward()
        with self._lock:
            self.requests[request.action] += 1
            fault = self._next_fault(request.action)
        answer = fault(request) if fault else request.forward()
        if request.action == "ReceiveMessage" and answer.status == http.HTTPStatus.OK:
            self._count(answer)
        return answer

    def _next_fault(self, action: str) -> SqsFault | None:
        for planned in self._planned:
            if planned.action == action:
                planned.times -= 1
                if planned.times <= 0:
                    self._planned.remove(planned)
                self.faults[action] += 1
                self.struck_at = time.time()
                return planned.fault
        return None

    def _count(self, answer: SqsAnswer) -> None:
        with contextlib.suppress(ValueError), self._lock:
            self.deliveries.update(message["MessageId"] for message in answer.json().get("Messages") or ())

    def ask_server(self, connection: http.client.HTTPConnection, headers: dict[str, str], content: bytes) -> SqsAnswer:
        """Send a request to the API over a connection."""
        connection.request("POST", "/", content, headers)
        response = connection.getresponse()
        kept = {name: value for name, value in response.getheaders() if name.lower().startswith(("x-", "content-type"))}
        return SqsAnswer(response.status, response.read(), kept)

    def connect(self) -> http.client.HTTPConnection:
        """Return a connection to the API."""
        return http.client.HTTPConnection(urlsplit(self.server_endpoint).netloc, timeout=NO_ANSWER_SECONDS)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    proxy: SqsProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: that is what they do here."""


class _Forwarder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self._to_server = self.server.proxy.connect()

    def finish(self) -> None:
        self._to_server.close()
        super().finish()

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OF_THE_CONNECTION}

        def forward(asked: dict[str, Any]) -> SqsAnswer:
            return self.server.proxy.ask_server(self._to_server, headers, json.dumps(asked).encode())

        action = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        try:
            answer = self.server.proxy.answer(SqsRequest(action, json.loads(content or b"{}"), forward))
        except (ConversationCut, OSError, http.client.HTTPException):
            self.close_connection = True
            return
        self._send(answer)

    def _send(self, answer: SqsAnswer) -> None:
        self.send_response(answer.status)
        for name, value in ({"Content-Length": str(len(answer.content))} | answer.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *values: Any) -> None:  # noqa: A002 - the standard library's word
        """Log nothing."""


_OF_THE_CONNECTION = {"host", "content-length", "connection", "expect", "accept-encoding"}
