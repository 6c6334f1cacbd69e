"""Keysets in secrets of Azure Key Vault.

Source: https://learn.microsoft.com/azure/key-vault/secrets/about-secrets
"""

from __future__ import annotations

import re
from typing import Any

from azure.core.exceptions import ResourceNotFoundError

from maskline.errors import ArgumentError, KeysetError
from maskline.keys.azure_key_vault.clients import HOST, OpenSecrets, map_azure_errors, open_secrets
from maskline.keys.conflicts import ALREADY_EXISTS, CHANGED_MEANWHILE
from maskline.keys.keyset import StoredKeyset

_SECRET = re.compile(rf"(?P<host>{HOST})/(?P<name>[0-9A-Za-z-]{{1,127}})")
_PERMISSIONS = (
    "get on the secret to read it (the role Key Vault Secrets User has it), and get, list and set to make and change "
    "it (Key Vault Secrets Officer)"
)


class AzureSecretKeyset:
    """A keyset in a secret of Azure Key Vault. The version before stays in the secret.

    *Warning*: Key Vault writes under no condition. Whoever makes or changes a keyset while somebody else does so is
    told, at once where the other was first, and else after the new version was written, which then counts; the error
    names the other's version, and no version is lost.

    Args:
        location: ``//HOST/SECRET``.
        open_secrets: Makes the client, when it is first needed.

    Raises:
        ArgumentError: It names no secret.
    """

    kms_key = None

    def __init__(self, location: str, open_secrets: OpenSecrets = open_secrets) -> None:
        match = _SECRET.fullmatch(location.removeprefix("//"))
        if match is None:
            raise ArgumentError(
                "keyset azure-keyvault-secret: give the vault's host and the secret, NAME.vault.azure.net/SECRET, "
                "after azure-keyvault-secret://"
            )
        self.uri = f"azure-keyvault-secret://{match[0]}"
        self._host, self._name = match["host"], match["name"]
        self._open_secrets = open_secrets
        self._opened: Any = None

    def fetch(self) -> StoredKeyset:
        """Read the secret."""
        with map_azure_errors(self.uri, _PERMISSIONS):
            content, _ = self._read()
        return StoredKeyset(content, self.uri)

    def create(self, content: bytes) -> None:
        """Make the secret; `KeysetError` if it is there."""
        with map_azure_errors(self.uri, _PERMISSIONS):
            if self._versions():
                raise KeysetError(f"keyset {self.uri}: {ALREADY_EXISTS}")
            self._put(content, set())

    def replace(self, expected: bytes, content: bytes) -> str:
        """Give the secret a new version."""
        with map_azure_errors(self.uri, _PERMISSIONS):
            before = self._versions()
            current, version = self._read()
            if current != expected or version not in before:
                raise KeysetError(f"keyset {self.uri}: {CHANGED_MEANWHILE}")
            self._put(content, before)
        return f"the secret's version {version}"

    def _client(self) -> Any:
        if self._opened is None:
            self._opened = self._open_secrets(f"https://{self._host}")
        return self._opened

    def _read(self) -> tuple[bytes, str]:
        secret = self._client().get_secret(self._name)
        return str(secret.value).encode(), str(secret.properties.version)

    def _versions(self) -> set[str]:
        try:
            return {str(one.version) for one in self._client().list_properties_of_secret_versions(self._name)}
        except ResourceNotFoundError:
            return set()

    def _put(self, content: bytes, before: set[str]) -> None:
        secret = self._client().set_secret(self._name, content.decode(), content_type="application/json")
        version = str(secret.properties.version)
        others = self._versions() - before - {version}
        if others:
            raise KeysetError(
                f"keyset {self.uri}: somebody else changed it in the same moment: beside version {version} of here "
                f"there is {', '.join(sorted(others))}; compare the two, and set the secret to the right one"
            )
