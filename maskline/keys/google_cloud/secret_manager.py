"""Keysets in Google Secret Manager.

Source: https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets,
https://cloud.google.com/secret-manager/docs/etags,
https://cloud.google.com/secret-manager/docs/assign-alias-to-secret-version
"""

from __future__ import annotations

import re
from typing import Any

from maskline.errors import ArgumentError, KeysetError, Remedy
from maskline.keys.conflicts import ALREADY_EXISTS, CHANGED_MEANWHILE
from maskline.keys.google_cloud.api import GoogleApi, GoogleError, OpenSession, checksum_of, encoded, open_session
from maskline.keys.keyset import StoredKeyset

ALIAS = "maskline"
"""The alias of the version that counts."""

_SECRET = re.compile(
    r"(?P<parent>projects/[a-z0-9.:-]+(/locations/(?P<location>[a-z0-9-]+))?)/secrets/(?P<id>[\w-]{1,255})", re.ASCII
)
_PERMISSIONS = (
    "secretmanager.versions.access to read it (roles/secretmanager.secretAccessor), to change it versions.add, "
    "versions.get, secrets.get and secrets.update, too, and to make it secrets.create (roles/secretmanager.admin)"
)
_NO_SUCH_VERSION = ("NOT_FOUND", "INVALID_ARGUMENT")


class GoogleSecretKeyset:
    """A keyset in a secret of Google Secret Manager, of the whole project or of one region.

    The version that counts is the one that the alias ``maskline`` names, or the latest where there is no such alias. A
    new version is added beside it, and then takes the alias, if nothing of the secret changed since it was read; so of
    two people who change one keyset in the same moment one is told so. The version before stays in the secret.

    Args:
        location: ``//projects/P/secrets/S`` or ``//projects/P/locations/L/secrets/S``.
        open_session: Makes the session.

    Raises:
        ArgumentError: `location` is not the name of a secret.
    """

    kms_key = None

    def __init__(self, location: str, open_session: OpenSession = open_session) -> None:
        self._name = location.removeprefix("//")
        match = _SECRET.fullmatch(self._name)
        if match is None:
            raise ArgumentError(
                "keyset gcp-secretmanager: give the secret's name, projects/P/secrets/S or "
                "projects/P/locations/L/secrets/S, after gcp-secretmanager://"
            )
        self.uri = f"gcp-secretmanager://{self._name}"
        self._parent, self._id, self._region = match["parent"], match["id"], match["location"]
        self._api = GoogleApi(self.uri, "secretmanager", _PERMISSIONS, self._region, open_session)

    def fetch(self) -> StoredKeyset:
        """Read the secret."""
        with self._api.mapping_errors():
            content, _ = self._read()
        return StoredKeyset(content, self.uri)

    def create(self, content: bytes) -> None:
        """Make the secret, or give one that is empty its first version; `KeysetError` if there is a version."""
        with self._api.mapping_errors():
            try:
                secret = self._call("GET", "")
            except GoogleError as error:
                if error.status != "NOT_FOUND":
                    raise
                secret = self._make()
            else:
                self._check_is_empty()
            self._name_version(secret, self._add(content), ALREADY_EXISTS)

    def replace(self, expected: bytes, content: bytes) -> str:
        """Give the secret a new version."""
        with self._api.mapping_errors():
            secret = self._call("GET", "")
            current, version = self._read()
            if current != expected:
                raise KeysetError(f"keyset {self.uri}: {CHANGED_MEANWHILE}")
            if ALIAS not in secret.get("versionAliases", {}):
                # Or the version that is added next would count before it is known to follow this one.
                secret = self._name_version(secret, version, CHANGED_MEANWHILE)
            self._name_version(secret, self._add(content), CHANGED_MEANWHILE)
        return f"the secret's version {version}"

    def _read(self) -> tuple[bytes, str]:
        try:
            answer = self._call("GET", f"/versions/{ALIAS}:access")
        except GoogleError as error:
            if error.status not in _NO_SUCH_VERSION:
                raise self._meaning(error) from None
            try:
                answer = self._call("GET", "/versions/latest:access")
            except GoogleError as error:
                raise self._meaning(error) from None
        payload = answer.get("payload", {})
        return self._api.checked(payload.get("data", ""), payload.get("dataCrc32c")), self._number_of(answer)

    def _make(self) -> dict[str, Any]:
        body: dict[str, Any] = {} if self._region else {"replication": {"automatic": {}}}
        try:
            return self._api.call("POST", f"{self._parent}/secrets", body, secretId=self._id)
        except GoogleError as error:
            if error.status == "ALREADY_EXISTS":
                raise KeysetError(f"keyset {self.uri}: {ALREADY_EXISTS}") from None
            raise

    def _check_is_empty(self) -> None:
        try:
            self._call("GET", "/versions/latest")
        except GoogleError as error:
            if error.status == "NOT_FOUND":
                return
            raise
        raise KeysetError(f"keyset {self.uri}: {ALREADY_EXISTS}")

    def _add(self, content: bytes) -> str:
        payload = {"data": encoded(content), "dataCrc32c": checksum_of(content)}
        return self._number_of(self._call("POST", ":addVersion", {"payload": payload}))

    def _name_version(self, secret: dict[str, Any], version: str, conflict: str) -> dict[str, Any]:
        """Give the alias to a version, if the secret is as it was read."""
        etag = self._api.field(secret, "etag")
        aliases = {**secret.get("versionAliases", {}), ALIAS: version}
        try:
            return self._call("PATCH", "", {"etag": etag, "versionAliases": aliases}, updateMask="versionAliases")
        except GoogleError as error:
            if error.status in ("FAILED_PRECONDITION", "ABORTED"):
                raise KeysetError(f"keyset {self.uri}: {conflict} (version {version} was not taken)") from None
            raise

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None, **parameters: str) -> dict[str, Any]:
        return self._api.call(method, f"{self._name}{path}", body, **parameters)

    def _meaning(self, error: GoogleError) -> Exception:
        """Return what it means that a version cannot be read."""
        if error.status == "NOT_FOUND":
            return KeysetError(f"keyset {self.uri}: is not there (NOT_FOUND)", remedy=Remedy.CREATE_KEYSET)
        if error.status == "FAILED_PRECONDITION":
            return KeysetError(
                f"keyset {self.uri}: its version is disabled or destroyed (FAILED_PRECONDITION); enable it, or give "
                f"the alias {ALIAS} to another one"
            )
        return error

    def _number_of(self, version: dict[str, Any]) -> str:
        return self._api.field(version, "name").rpartition("/")[2]
