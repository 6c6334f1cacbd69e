"""An HTTP proxy in front of an S3 API that fails every second write, once before and once after it was done."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from maskline.pipeline.local.processes import free_port, stop_child
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT

START_SECONDS = 30
STOP_SECONDS = 5
COUNTS = "/counts-of-the-proxy"
UNAVAILABLE = b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>"


class FailingS3:
    """Forwards every request, but for every second one that writes: of those it does every second one all the same.

    So a client sees errors of writes that were not done, and errors of writes that were. It is a process of its own:
    deltalake holds the interpreter's lock during some requests.

    Args:
        endpoint: The URL of the API.
    """

    def __init__(self, endpoint: str) -> None:
        self._server = urlsplit(endpoint).netloc

    def __enter__(self) -> FailingS3:
        """Start it and wait until it answers."""
        self._port = free_port()
        command = [sys.executable, "-m", "tests.faults.s3_proxy", str(self._port), self._server]
        self._process = subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            await_until(self._answers, "the proxy of S3 answers", START_SECONDS)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        stop_child(self._process, STOP_SECONDS)

    @property
    def endpoint(self) -> str:
        """The URL to give to a client."""
        return f"http://127.0.0.1:{self._port}"

    def counts(self) -> tuple[int, int]:
        """Return how many requests wanted to write, and how many of them failed."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", COUNTS)
            writes, failed = json.loads(connection.getresponse().read())
        return writes, failed

    def _answers(self) -> bool:
        try:
            return self.counts() == (0, 0)
        except (OSError, ValueError, http.client.HTTPException):
            return False


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, server: str) -> None:
        super().__init__(("127.0.0.1", port), _Forwarder)
        self.server_of_s3 = server
        self.writes = 0
        self.failed = 0
        self._lock = threading.Lock()
        self._turns = itertools.cycle(("fail", "pass", "do and fail", "pass"))

    def turn(self, method: str) -> str:
        """Return what to do with a request."""
        if method not in ("PUT", "POST"):
            return "pass"
        with self._lock:
            turn = next(self._turns)
            self.writes += 1
            self.failed += turn != "pass"
        return turn


class _Forwarder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _HttpServer

    def _forward(self) -> None:
        if self.path == COUNTS:
            self._answer(200, {}, json.dumps([self.server.writes, self.server.failed]).encode())
            return
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        turn = self.server.turn(self.command)
        if turn == "fail":
            self._answer(500, {}, UNAVAILABLE)
            return
        with contextlib.closing(http.client.HTTPConnection(self.server.server_of_s3, timeout=40)) as server:
            server.request(self.command, self.path, content, dict(self.headers.items()))
            response = server.getresponse()
            answer = response.read()
        if turn == "do and fail":
            self._answer(500, {}, UNAVAILABLE)
        else:
            self._answer(response.status, dict(response.getheaders()), answer)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _forward  # noqa: N815 - the standard library's words

    def _answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(content))
        kept = {name: value for name, value in headers.items() if name.lower() not in _OF_THE_CONNECTION}
        for name, value in {**kept, "Content-Length": length}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the standard library's word
        """Log nothing."""


_OF_THE_CONNECTION = {"content-length", "transfer-encoding", "connection", "date", "server"}


if __name__ == "__main__":
    _HttpServer(int(sys.argv[1]), sys.argv[2]).serve_forever()
