"""Azure Key Vault as its API pages describe it, served over TLS on loopback.

Source: https://learn.microsoft.com/rest/api/keyvault/keys/unwrap-key/unwrap-key,
https://learn.microsoft.com/rest/api/keyvault/secrets/set-secret/set-secret,
https://learn.microsoft.com/azure/key-vault/general/authentication-requests-and-responses
"""

from __future__ import annotations

import base64
import ssl
import uuid
from typing import Any

import msgspec
import trustme
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.http_service import HttpRequest
from tests.maskline.keys.stub_services import Answer, StubService

OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


class StubKey(msgspec.Struct):
    """A version of a key.

    Attributes:
        version: Its name.
        key: The key.
        state: What it is not used for, ``KeyDisabled`` say, or an empty text.
    """

    version: str
    key: rsa.RSAPrivateKey
    state: str = ""


class StubAzure(StubService):
    """A vault.

    Attributes:
        keys: The versions of each key, the newest last.
        secrets: The versions of each secret, each with its name and value, the newest last.
        denied: Operations that these credentials may not do, ``get`` say.
        inner_code: What errors give as their innermost code.
    """

    TOKEN = "eyJ0.the-token"

    def __init__(self, authority: trustme.CA) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        super().__init__(context)
        self.keys: dict[str, list[StubKey]] = {}
        self.secrets: dict[str, list[tuple[str, str]]] = {}
        self.denied: set[str] = set()
        self.inner_code = ""

    def headers(self, status: int) -> dict[str, str]:
        """Say whose tokens are taken, and for what."""
        if status != 401:
            return {}
        # A client takes a resource whose domain the vault's host is in.
        resource = f"https://{self.host.partition('.')[2]}"
        return {"WWW-Authenticate": f'Bearer authorization="https://login.example.com/tenant", resource="{resource}"'}

    def error(self, status: int, code: str = "") -> dict[str, Any]:
        """Return what Key Vault says in an error."""
        error: dict[str, Any] = {"code": code or "Forbidden", "message": "the error's own text"}
        if self.inner_code:
            error["innererror"] = {"code": self.inner_code}
        return {"error": error}

    def answer(self, request: HttpRequest) -> Answer:
        """Answer as Key Vault does."""
        if request.headers.get("authorization") != f"Bearer {self.TOKEN}":
            return 401, {"error": {"code": "Unauthorized", "message": "the error's own text"}}
        kind, name, *rest = request.path.strip("/").split("/")
        return self._key(name, rest, request) if kind == "keys" else self._secret(name, rest, request)

    def add_key(self, name: str, key: rsa.RSAPrivateKey) -> StubKey:
        """Make a key, or give it a new version."""
        added = StubKey(uuid.uuid4().hex, key)
        self.keys.setdefault(name, []).append(added)
        return added

    def _key(self, name: str, rest: list[str], request: HttpRequest) -> Answer:
        action = rest.pop() if rest and rest[-1] in ("wrapkey", "unwrapkey") else "get"
        if action in self.denied:
            self.inner_code = "ForbiddenByRbac"
            return 403, self.error(403)
        versions = [one for one in self.keys.get(name, []) if not rest or one.version == rest[0]]
        if not versions:
            return 404, self.error(404, "KeyNotFound")
        found = versions[-1]
        kid = f"https://{self.host}/keys/{name}/{found.version}"
        if action == "get":
            numbers = found.key.public_key().public_numbers()
            operations = ["encrypt", "decrypt", "wrapKey", "unwrapKey"]
            key = {"kid": kid, "kty": "RSA", "key_ops": operations, "n": number(numbers.n), "e": number(numbers.e)}
            return 200, {"key": key, "attributes": {"enabled": not found.state}}
        if found.state:
            self.inner_code = found.state
            return 403, self.error(403)
        assert request.fields["alg"] == "RSA-OAEP-256"
        value = base64.urlsafe_b64decode(request.fields["value"] + "==")
        try:
            used = (
                found.key.decrypt(value, OAEP) if action == "unwrapkey" else found.key.public_key().encrypt(value, OAEP)
            )
        except ValueError:
            return 400, self.error(400, "BadParameter")
        return 200, {"kid": kid, "value": base64.urlsafe_b64encode(used).rstrip(b"=").decode()}

    def _secret(self, name: str, rest: list[str], request: HttpRequest) -> Answer:
        versions = self.secrets.get(name, [])
        if request.method == "PUT":
            versions = self.secrets.setdefault(name, [])
            versions.append((uuid.uuid4().hex, request.fields["value"]))
        if rest == ["versions"]:
            # A page holds one version, so that pages are followed.
            page = int(request.query.get("page", "0"))
            more = page + 1 < len(versions)
            after = f"https://{self.host}{request.path}?api-version=7.5&page={page + 1}"
            listed = [{"id": self._secret_id(name, version)} for version, _ in versions[page : page + 1]]
            return 200, {"value": listed, "nextLink": after if more else None}
        if not versions:
            return 404, self.error(404, "SecretNotFound")
        version, value = versions[-1]
        return 200, {"id": self._secret_id(name, version), "value": value, "attributes": {"enabled": True}}

    def _secret_id(self, name: str, version: str) -> str:
        return f"https://{self.host}/secrets/{name}/{version}"


def number(value: int) -> str:
    """Return a number as a JSON web key has it (RFC 7518, section 2)."""
    content = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
