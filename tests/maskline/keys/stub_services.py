"""Services that keep keysets, as their API pages describe them, served on loopback; and Vault of them.

Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2,
https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import tink
from tink import aead

aead.register()

Answer = tuple[int, dict[str, Any]]


class Request(msgspec.Struct, frozen=True):
    """What was asked.

    Attributes:
        method: The method.
        path: The path, without what follows it.
        query: What follows the path.
        body: The body, of JSON or a form.
        headers: The headers, by their names in small letters.
    """

    method: str
    path: str
    query: dict[str, str]
    body: dict[str, Any]
    headers: dict[str, str]


class StubService:
    """Answers requests on a port of its own while the ``with`` block runs.

    Attributes:
        requests: Every request.
        failure: The status that every request is answered with in place of its own answer, or None.
        is_silent: Whether requests are taken and never answered.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.failure: int | None = None
        self.is_silent = False
        self._ended = threading.Event()
        self._keys: dict[str, aead.Aead] = {}

    def __enter__(self) -> Any:
        """Start to listen."""
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                self._answer()

            def do_PUT(self) -> None:
                self._answer()

            def do_PATCH(self) -> None:
                self._answer()

            def log_message(self, *_: object) -> None:
                """Log nothing."""

            def _answer(self) -> None:
                path, _, query = self.path.partition("?")
                text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                body = json.loads(text) if text.startswith("{") else dict(parse_qsl(text))
                headers = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.command, path, dict(parse_qsl(query)), body, headers)
                service.requests.append(request)
                if service.is_silent:
                    service._ended.wait()
                    self.close_connection = True
                    return
                status, answer = (
                    (service.failure, service.error(service.failure)) if service.failure else service.answer(request)
                )
                content = json.dumps(answer).encode()
                self.send_response(status)
                for name, value in service.headers(status).items():
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = self.tls()
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop."""
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: Request) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def headers(self, status: int) -> dict[str, str]:
        """Return what an answer has in its head beside what every one has."""
        return {}

    def tls(self) -> ssl.SSLContext | None:
        """Return what it speaks TLS with, or None for plain HTTP."""
        return None

    def error(self, status: int) -> dict[str, Any]:
        """Return the body of an error."""
        raise NotImplementedError

    def crypt(self, key: str, use: Callable[[aead.Aead], bytes]) -> bytes | None:
        """Encrypt or decrypt with a key, made when it is first named; None where that fails."""
        if key not in self._keys:
            self._keys[key] = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM).primitive(aead.Aead)
        try:
            return use(self._keys[key])
        except tink.TinkError:
            return None


class StubVault(StubService):
    """Vault with a KV engine at ``secret`` and a transit engine at ``transit``."""

    TOKEN = "s.the-token"

    def __init__(self) -> None:
        super().__init__()
        self.secrets: dict[str, list[dict[str, Any]]] = {}

    def error(self, status: int) -> dict[str, Any]:
        """Return what Vault says in an error."""
        return {"errors": ["the error's own text"]}

    def answer(self, request: Request) -> Answer:
        """Answer as Vault does."""
        if request.headers.get("x-vault-token") != self.TOKEN:
            return 403, {"errors": ["permission denied"]}
        if request.path.startswith("/v1/secret/data/"):
            return self._secret(request.method, request.path.removeprefix("/v1/secret/data/"), request.body)
        if request.path.startswith("/v1/transit/"):
            action, _, key = request.path.removeprefix("/v1/transit/").partition("/")
            return self._transit(action, key, request.body)
        return 404, {"errors": []}

    def _secret(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        versions = self.secrets.setdefault(path, [])
        if method == "GET":
            if not versions:
                return 404, {"errors": []}
            return 200, {"data": {"data": versions[-1], "metadata": {"version": len(versions)}}}
        if body["options"]["cas"] != len(versions):
            return 400, {"errors": ["check-and-set parameter did not match the current version"]}
        versions.append(body["data"])
        return 200, {"data": {"version": len(versions)}}

    def _transit(self, action: str, key: str, body: dict[str, Any]) -> Answer:
        purpose = base64.b64decode(body.get("associated_data") or "")
        if action == "encrypt":
            clear = base64.b64decode(body["plaintext"])
            sealed = self.crypt(key, lambda cipher: cipher.encrypt(clear, purpose)) or b""
            return 200, {"data": {"ciphertext": "vault:v1:" + base64.b64encode(sealed).decode()}}
        ciphertext = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
        opened = self.crypt(key, lambda cipher: cipher.decrypt(ciphertext, purpose))
        if opened is None:
            return 400, {"errors": ["cipher: message authentication failed"]}
        return 200, {"data": {"plaintext": base64.b64encode(opened).decode()}}
