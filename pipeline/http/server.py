"""A small HTTP server that answers GET from functions and files, in daemon threads of this process."""

from __future__ import annotations

import contextlib
import http.server
import logging
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Mapping
from importlib.resources import files
from urllib.parse import urlsplit

import msgspec

from maskline.errors import UsageError
from maskline.plaintext import is_loopback

CLIENT_SECONDS = 10.0
"""How long a client may take, from its connection to the last byte of its answer."""

MAX_CLIENTS = 64
"""How many clients are answered at the same time, each in a thread of its own."""

STATIC_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/uPlot.iife.min.js": ("uPlot.iife.min.js", "text/javascript; charset=utf-8"),
    "/uPlot.min.css": ("uPlot.min.css", "text/css; charset=utf-8"),
}
"""The files of the page, by path: the file's name in ``static`` and its type."""

_HEADERS = {
    "Cache-Control": "no-store",
    # The page needs nothing from anywhere else, and nobody may frame it.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_NOT_FOR_US = (
    b"this port is of loopback, and answers those who ask for localhost, 127.0.0.1 or [::1]; --http_host opens another"
)

logger = logging.getLogger(__name__)


class Answer(msgspec.Struct, frozen=True):
    """An answer to a GET.

    Attributes:
        body: What is sent.
        media_type: Its type.
        status: The HTTP status.
    """

    body: bytes
    media_type: str
    status: int = 200


Route = Callable[[str], Answer]
"""Answers a GET, given the request's Accept header."""


class HttpServer:
    """Answers GET and HEAD while the ``with`` block runs, and rejects other methods.

    A client that takes longer than it may is hung up on, and so is the oldest where there is one too many: those that
    say nothing keep no probe from its answer. At a loopback address only who asks for a name of this machine is
    answered, so that a page of the web whose name was made to lead here (DNS rebinding) reads nothing.

    Args:
        host: The address to listen at.
        port: The port, or 0 for one that is free.
        routes: What answers each path, beside the files of the page.
        client_seconds: How long a client may take.

    Raises:
        UsageError: The address or the port cannot be listened at.
    """

    def __init__(
        self, host: str, port: int, routes: Mapping[str, Route], client_seconds: float = CLIENT_SECONDS
    ) -> None:
        try:
            self._server = _Server((host, port), {**_static_routes(), **routes}, client_seconds)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UsageError(f"http_port: cannot listen at {host}, port {port} ({reason}); give another one") from None
        self.port = self._server.server_address[1]
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self.port}/"

    def __enter__(self) -> HttpServer:
        """Start answering."""
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop answering, and free the port."""
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a client that lingers does not keep a job from its end
    request_queue_size = MAX_CLIENTS

    def __init__(self, address: tuple[str, int], routes: Mapping[str, Route], client_seconds: float) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        self._client_seconds = client_seconds
        self._clients: dict[object, float] = {}
        """The sockets of clients, the oldest first, and when each came."""
        self._clients_lock = threading.Lock()
        super().__init__(address, _request_class(routes, self._is_for_us))

    def server_bind(self) -> None:
        # Not HTTPServer's, which asks a name server who this machine is, and waits for it.
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def process_request(self, request: object, client_address: object) -> None:
        with self._clients_lock:
            self._clients[request] = time.monotonic()
            surplus = list(self._clients)[:-MAX_CLIENTS]
        for client in surplus:
            _hang_up(client)
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def shutdown_request(self, request: object) -> None:
        with self._clients_lock:
            self._clients.pop(request, None)
        super().shutdown_request(request)  # type: ignore[arg-type]

    def service_actions(self) -> None:
        too_late = time.monotonic() - self._client_seconds
        with self._clients_lock:
            slow = [client for client, since in self._clients.items() if since < too_late]
        for client in slow:
            _hang_up(client)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver's
        logger.debug("an HTTP request failed", exc_info=True)  # a client that hung up, most of all

    def _is_for_us(self, host_header: str | None) -> bool:
        if host_header is None or not is_loopback(self.server_name):
            return True
        try:
            return is_loopback(urlsplit(f"//{host_header}").hostname or "")
        except ValueError:
            return False


def _hang_up(client: object) -> None:
    # Not closed, for another thread waits for it, and ends by this.
    assert isinstance(client, socket.socket)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


def _static_routes() -> dict[str, Route]:
    folder = files("maskline.pipeline.http") / "static"
    return {
        path: _static_route(Answer((folder / name).read_bytes(), media_type))
        for path, (name, media_type) in STATIC_FILES.items()
    }


def _static_route(answer: Answer) -> Route:
    return lambda _accept: answer


def _request_class(
    routes: Mapping[str, Route], is_for_us: Callable[[str | None], bool]
) -> type[http.server.BaseHTTPRequestHandler]:
    class Request(http.server.BaseHTTPRequestHandler):
        server_version = "maskline"
        sys_version = ""

        def do_GET(self) -> None:
            self._answer()

        def do_HEAD(self) -> None:
            self._answer()

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - http.server's
            logger.debug(format, *arguments)

        def _answer(self) -> None:
            route = routes.get(self.path.partition("?")[0])
            if not is_for_us(self.headers.get("Host")):
                answer = Answer(_NOT_FOR_US, "text/plain", 421)
            elif route is None:
                answer = Answer(b"not here; there are: " + " ".join(routes).encode(), "text/plain", 404)
            else:
                answer = route(self.headers.get("Accept", ""))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.media_type)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, value in _HEADERS.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(answer.body)

    return Request
