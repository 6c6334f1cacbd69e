"""Google Cloud KMS and Secret Manager as their API pages describe them, with credentials, served on loopback.

Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt,
https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets,
https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import base64
from typing import Any

import google_crc32c

from tests.http_service import HttpRequest
from tests.maskline.keys.stub_services import Answer, StubService

STATUSES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS"}


class StubGoogle(StubService):
    """Both services at one address, and who gives out tokens for them.

    Attributes:
        states: The state of each key that is not enabled.
        secrets: The secrets, each with its etag, aliases and versions.
        reasons: What errors give as their reasons.
        is_damaging: Whether bytes change on their way back.
        is_checking: Whether KMS says that it checked what it was sent.
    """

    TOKEN = "ya29.the-token"

    def __init__(self) -> None:
        super().__init__()
        self.states: dict[str, str] = {}
        self.secrets: dict[str, dict[str, Any]] = {}
        self.reasons: list[str] = []
        self.is_damaging = False
        self.is_checking = True

    def error(self, status: int, name: str = "") -> dict[str, Any]:
        """Return what Google says in an error."""
        error: dict[str, Any] = {"code": status, "message": "the error's own text"}
        if status in STATUSES:
            error["status"] = name or STATUSES[status]
        error["details"] = [
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason} for reason in self.reasons
        ]
        return {"error": error}

    def answer(self, request: HttpRequest) -> Answer:
        """Answer as Google does."""
        if request.path == "/token":
            assert request.fields["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
            return 200, {"access_token": self.TOKEN, "expires_in": 3600, "token_type": "Bearer"}
        if request.headers.get("authorization") != f"Bearer {self.TOKEN}":
            return 401, {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": "the error's own text"}}
        name = request.path.removeprefix("/v1/")
        if "/cryptoKeys/" in name:
            key, _, action = name.partition(":")
            return self._use_key(key, action, request.fields)
        return self._use_secret(name, request)

    def _use_key(self, name: str, action: str, body: dict[str, Any]) -> Answer:
        if name.endswith("/none"):
            return 404, self.error(404)
        if name in self.states:
            return 400, self.error(400, "FAILED_PRECONDITION")
        given = {field: base64.b64decode(body[field]) for field in body if not field.endswith("Crc32c")}
        if any(body.get(f"{field}Crc32c") != crc32c(content) for field, content in given.items()):
            return 400, self.error(400)
        purpose = given.get("additionalAuthenticatedData", b"")
        if action == "encrypt":
            sealed = self.crypt(name, lambda cipher: cipher.encrypt(given["plaintext"], purpose))
            assert sealed is not None
            checked = {
                "verifiedPlaintextCrc32c": self.is_checking,
                "verifiedAdditionalAuthenticatedDataCrc32c": self.is_checking and bool(purpose),
            }
            return 200, {"name": f"{name}/cryptoKeyVersions/1", **self._sent("ciphertext", sealed), **checked}
        opened = self.crypt(name, lambda cipher: cipher.decrypt(given["ciphertext"], purpose))
        if opened is None:
            return 400, self.error(400)
        return 200, self._sent("plaintext", opened)

    def _use_secret(self, name: str, request: HttpRequest) -> Answer:
        if request.query.get("secretId"):
            return self._make(f"{name}/{request.query['secretId']}", request.fields)
        secret_name, _, version = name.partition("/versions/")
        secret_name, _, action = secret_name.partition(":")
        secret = self.secrets.get(secret_name)
        if secret is None:
            return 404, self.error(404)
        if action == "addVersion":
            payload = request.fields["payload"]
            content = base64.b64decode(payload["data"])
            if payload["dataCrc32c"] != crc32c(content):
                return 400, self.error(400)
            secret["versions"].append(content)
            return 200, {"name": f"{secret_name}/versions/{len(secret['versions'])}", "state": "ENABLED"}
        if version:
            return self._version(secret_name, secret, *version.split(":"))
        if request.method == "PATCH":
            assert request.query == {"updateMask": "versionAliases"}
            # Without an ETag it changes whatever is there.
            if request.fields.get("etag", secret["etag"]) != secret["etag"]:
                return 400, self.error(400, "FAILED_PRECONDITION")
            secret["aliases"] = request.fields["versionAliases"]
            self.touch(secret_name)
        return 200, {"name": secret_name, "etag": secret["etag"], "versionAliases": secret["aliases"]}

    def _make(self, name: str, body: dict[str, Any]) -> Answer:
        if name in self.secrets:
            return 409, self.error(409)
        # A regional secret has its place in its name, another says how it is replicated.
        assert body == ({} if "/locations/" in name else {"replication": {"automatic": {}}})
        self.add_secret(name)
        return 200, {"name": name, "etag": self.secrets[name]["etag"]}

    def _version(self, name: str, secret: dict[str, Any], version: str, action: str = "") -> Answer:
        versions: list[bytes] = secret["versions"]
        number = len(versions) if version == "latest" else int(secret["aliases"].get(version, 0))
        if not number:
            return 404, self.error(404)
        if f"{name}/versions/{number}" in self.states:
            return 400, self.error(400, "FAILED_PRECONDITION")
        described = {"name": f"{name}/versions/{number}"}
        if action == "access":
            sent = self._sent("data", versions[number - 1])
            return 200, {**described, "payload": sent}
        return 200, described

    def add_secret(self, name: str, *versions: bytes) -> None:
        """Make a secret, as somebody with Google's own tools does."""
        self.secrets[name] = {"etag": '"1"', "aliases": {}, "versions": list(versions)}

    def touch(self, name: str) -> None:
        """Change a secret."""
        self.secrets[name]["etag"] = f'"{int(self.secrets[name]["etag"].strip(chr(34))) + 1}"'

    def _sent(self, field: str, content: bytes) -> dict[str, str]:
        arrived = bytes([content[0] ^ 1]) + content[1:] if self.is_damaging else content
        return {field: base64.b64encode(arrived).decode(), f"{field}Crc32c": crc32c(content)}


def crc32c(content: bytes) -> str:
    """Return the checksum as Google's JSON has it: an int64, which is a text."""
    return str(google_crc32c.value(content))
