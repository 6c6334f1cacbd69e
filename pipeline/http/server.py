"""A small HTTP server that answers GET from functions and files, in daemon threads of this process."""

from __future__ import annotations

import http.server
import logging
import socket
import threading
from collections.abc import Callable, Mapping
from importlib.resources import files

import msgspec

from maskline.errors import UsageError

CLIENT_SECONDS = 10.0
"""How long a client may take over each of its bytes."""

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

    Args:
        host: The address to listen at.
        port: The port, or 0 for one that is free.
        routes: What answers each path, beside the files of the page.

    Raises:
        UsageError: The address or the port cannot be listened at.
    """

    def __init__(self, host: str, port: int, routes: Mapping[str, Route]) -> None:
        try:
            self._server = _Server((host, port), _request_class({**_static_routes(), **routes}))
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

    def __init__(self, address: tuple[str, int], request_class: type[http.server.BaseHTTPRequestHandler]) -> None:
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, request_class)

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 - socketserver's
        logger.debug("an HTTP request failed", exc_info=True)  # a client that hung up, most of all


def _static_routes() -> dict[str, Route]:
    folder = files("maskline.pipeline.http") / "static"
    return {
        path: _static_route(Answer((folder / name).read_bytes(), media_type))
        for path, (name, media_type) in STATIC_FILES.items()
    }


def _static_route(answer: Answer) -> Route:
    return lambda _accept: answer


def _request_class(routes: Mapping[str, Route]) -> type[http.server.BaseHTTPRequestHandler]:
    class Request(http.server.BaseHTTPRequestHandler):
        timeout = CLIENT_SECONDS
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
            if route is None:
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
