"""An HTTP service on loopback that a test stands in for, and that keeps every request."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec


class HttpRequest(msgspec.Struct, frozen=True):
    """A request as it came.

    Attributes:
        method: The method.
        path: The path without its query, percent-decoded.
        query: The parameters of the query.
        headers: The headers, with their names in lower case.
        body: The body.
    """

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the body, which is a JSON object or a form."""
        if self.body.startswith(b"{"):
            return dict(json.loads(self.body))
        return dict(parse_qsl(self.body.decode()))


class HttpResponse(msgspec.Struct, frozen=True):
    """The response to a request.

    Attributes:
        status: The HTTP status.
        headers: The headers; ``Content-Length`` is added.
        body: The body.
    """

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""

    @classmethod
    def of_json(cls, content: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
        """Return a response that has JSON for its body."""
        return cls(status, {"Content-Type": "application/json", **(headers or {})}, json.dumps(content).encode())


class HttpService:
    """A service on a free port, which answers while the ``with`` block runs; a subclass says what in `respond`.

    Args:
        tls: The context of its certificate; plain HTTP if None.
        keeps_alive: Whether a connection serves several requests, as HTTP/1.1 has it.

    Attributes:
        requests: Every request so far.
        stopped: Set when the block ends.
    """

    def __init__(self, tls: ssl.SSLContext | None = None, *, keeps_alive: bool = False) -> None:
        self.requests: list[HttpRequest] = []
        self.stopped = threading.Event()
        self._tls = tls
        self._handler = _KeepAliveHandler if keeps_alive else _Handler

    def __enter__(self) -> Self:
        """Start to listen."""
        self._server = _Server(("127.0.0.1", 0), self._handler)
        self._server.service = self
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop, and free the port."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """Its host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """Its port."""
        return int(self._server.server_address[1])

    def respond(self, request: HttpRequest) -> HttpResponse | None:
        """Return the response to a request, or None to end the connection without one.

        It is called in a thread of the connection's own.

        Args:
            request: The request, which is in `requests` already.
        """
        raise NotImplementedError


class _Server(http.server.ThreadingHTTPServer):
    service: HttpService


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def _serve(self) -> None:
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        request = HttpRequest(self.command, unquote(url.path), dict(parse_qsl(url.query)), headers, body)
        self.server.service.requests.append(request)
        response = self.server.service.respond(request)
        if response is None:
            self.close_connection = True
            return
        self.send_response(response.status)
        for name, value in {**response.headers, "Content-Length": str(len(response.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(response.body)

    do_GET = do_PATCH = do_POST = do_PUT = _serve  # noqa: N815 - http.server's names


class _KeepAliveHandler(_Handler):
    protocol_version = "HTTP/1.1"
