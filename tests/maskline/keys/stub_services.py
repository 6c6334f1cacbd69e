"""Services that keep keysets, as their API pages describe them, served on loopback; and Vault of them.

Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2,
https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from typing import Any, TypeAlias

import tink
from tink import aead

from tests.http_service import HttpRequest, HttpResponse, HttpService

aead.register()

Answer: TypeAlias = tuple[int, dict[str, Any]]
"""The status and the JSON of an answer."""


class StubService(HttpService):
    """A service whose answers are JSON.

    Args:
        tls: The context of its certificate; plain HTTP if None.

    Attributes:
        failure: The status that every request is answered with in place of its own answer, or None.
        is_silent: Whether requests are taken and never answered.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.failure: int | None = None
        self.is_silent = False
        self._keys: dict[str, aead.Aead] = {}

    def respond(self, request: HttpRequest) -> HttpResponse | None:
        """Answer, or fail as the attributes say."""
        if self.is_silent:
            self.stopped.wait()
            return None
        status, content = (self.failure, self.error(self.failure)) if self.failure else self.answer(request)
        return HttpResponse.of_json(content, status, self.headers(status))

    def answer(self, request: HttpRequest) -> Answer:
        """Answer one request."""
        raise NotImplementedError

    def error(self, status: int) -> dict[str, Any]:
        """Return the JSON of an error."""
        raise NotImplementedError

    def headers(self, status: int) -> dict[str, str]:
        """Return the headers of an answer beside those that every one has."""
        return {}

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

    def answer(self, request: HttpRequest) -> Answer:
        """Answer as Vault does."""
        if request.headers.get("x-vault-token") != self.TOKEN:
            return 403, {"errors": ["permission denied"]}
        if request.path.startswith("/v1/secret/data/"):
            return self._secret(request.method, request.path.removeprefix("/v1/secret/data/"), request.fields)
        if request.path.startswith("/v1/transit/"):
            action, _, key = request.path.removeprefix("/v1/transit/").partition("/")
            return self._transit(action, key, request.fields)
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
