"""An HTTP server on loopback that keeps every request as it came, byte for byte, and answers what it is told."""

from __future__ import annotations

import contextlib
import json
import socket
import socketserver
import ssl
import struct
import threading
from collections.abc import Callable
from typing import Any

import msgspec


class RecordedRequest(msgspec.Struct, frozen=True):
    """A request as it came.

    Attributes:
        method: ``POST`` say.
        target: What follows it: a path, or a URL or host where the server is taken for a proxy.
        headers: The headers with their names in lower case.
        body: The body.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True):
    """What is answered.

    Attributes:
        body: The body.
        status: The HTTP status and its reason.
        headers: Headers; those that the protocol needs are added.
        length: The length that is announced, where it is not the body's.
        ends: Whether the connection ends then.
        resets: Whether it ends then as where a process is killed.
        is_silent: Whether there is no answer at all, until the server stops.
        trickles: Whether the body goes on with a blank now and then, until the server stops.
    """

    body: bytes = b"{}"
    status: str = "200 OK"
    headers: dict[str, str] = {}
    length: int | None = None
    ends: bool = False
    resets: bool = False
    is_silent: bool = False
    trickles: bool = False


Answering = Callable[[RecordedRequest], Answer]
"""Says what a request is answered."""


class RecordingServer:
    """A server, while the ``with`` block runs. It can be taken for a proxy, and then it is what is behind it, too.

    Args:
        answering: Says what a request is answered; every one with an empty object if None.
        tls: Its certificate, if it speaks TLS; behind ``CONNECT`` it does so, too.
        is_tls_at_once: Whether it speaks TLS before a ``CONNECT``.
    """

    def __init__(
        self, answering: Answering | None = None, tls: ssl.SSLContext | None = None, is_tls_at_once: bool = True
    ) -> None:
        self.answering: Answering = answering or (lambda request: Answer())
        self.tls = tls
        self.is_tls_at_once = is_tls_at_once
        self.requests: list[RecordedRequest] = []
        self.accepted = 0
        self.stopped = threading.Event()

    def __enter__(self) -> RecordingServer:
        """Listen on a free port."""
        self._tcp = _TcpServer(("127.0.0.1", 0), _Conversation)
        self._tcp.recording = self
        self._thread = threading.Thread(target=self._tcp.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and end all connections."""
        self.stopped.set()
        self._tcp.shutdown()
        self._thread.join()
        self._tcp.server_close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._tcp.server_address[1])

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"{'https' if self.tls and self.is_tls_at_once else 'http'}://127.0.0.1:{self.port}"


def saying(content: dict[str, Any]) -> Answer:
    """Return the answer that says something in JSON."""
    return Answer(json.dumps(content).encode(), headers={"Content-Type": "application/x-amz-json-1.0"})


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    recording: RecordingServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: that is what they do here."""


class _Conversation(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _TcpServer

    def handle(self) -> None:
        recording = self.server.recording
        recording.accepted += 1
        connection = self.request
        if recording.tls and recording.is_tls_at_once:
            connection = recording.tls.wrap_socket(connection, server_side=True)
        while (request := _read(connection)) is not None:
            recording.requests.append(request)
            if request.method == "CONNECT" and recording.tls:
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                connection = recording.tls.wrap_socket(connection, server_side=True)
            elif not self._answer(connection, recording.answering(request)):
                break
        with contextlib.suppress(OSError):
            connection.close()

    def _answer(self, connection: socket.socket, answer: Answer) -> bool:
        if answer.is_silent:
            self.server.recording.stopped.wait()
            return False
        length = 10**9 if answer.trickles else len(answer.body) if answer.length is None else answer.length
        headers = {"Content-Length": str(length)} | answer.headers
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        connection.sendall(f"HTTP/1.1 {answer.status}\r\n{head}\r\n".encode() + answer.body)
        while answer.trickles and not self.server.recording.stopped.wait(0.05):
            connection.sendall(b" ")
        if answer.resets:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return not (answer.ends or answer.resets)


def _read(connection: socket.socket) -> RecordedRequest | None:
    with contextlib.suppress(OSError):
        stream = connection.makefile("rb")
        first = stream.readline().decode("latin-1").split()
        if not first:
            return None
        headers = {}
        while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        return RecordedRequest(first[0], first[1], headers, stream.read(int(headers.get("content-length", 0))))
    return None
