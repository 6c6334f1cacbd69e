"""HashiCorp Vault: keysets in its KV engine (version 2), and keysets that a key of its transit engine encrypts.

Address, token, namespace and CA come from Vault's own variables: ``VAULT_ADDR``, ``VAULT_TOKEN`` (or what
``vault login`` left), ``VAULT_NAMESPACE``, ``VAULT_CACERT``. OpenBao speaks the same protocol.

Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2,
https://developer.hashicorp.com/vault/api-docs/secret/transit
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Iterator
from typing import Any

import hvac
import requests
from hvac import exceptions
from tink import aead

from maskline.errors import ArgumentError, KeysetError, KeysetUnavailableError, Remedy
from maskline.keys.conflicts import ALREADY_EXISTS, CHANGED_MEANWHILE
from maskline.keys.keyset import StoredKeyset
from maskline.keys.kms import NotDecryptedError
from maskline.logs import silence_wire_logging
from maskline.plaintext import ALLOWED_VARIABLE, is_plaintext_allowed, is_plaintext_beyond_loopback
from maskline.watchdog import WATCHDOG

FIELD = "keyset"
"""The field of the secret that holds the keyset."""

TIMEOUT_SECONDS = 10

OpenVault = Callable[[], Any]
"""Makes an `hvac.Client`."""


def open_vault() -> Any:
    """Make a client that gives up within some seconds.

    Raises:
        KeysetError: The address would carry keys in clear over a network, and nobody allowed it.
    """
    silence_wire_logging()
    client = hvac.Client(namespace=os.environ.get("VAULT_NAMESPACE"), timeout=TIMEOUT_SECONDS)
    if is_plaintext_beyond_loopback(client.url) and not is_plaintext_allowed():
        raise KeysetError(
            "keyset: VAULT_ADDR begins with http:// and is not on this machine, so the network could read keys; give "
            f"https://, or allow it: {ALLOWED_VARIABLE}=true"
        )
    return client


class VaultKvKeyset:
    """A keyset in a secret of Vault's KV engine, version 2, in the field ``keyset``.

    New secrets and new versions are written by check-and-set, so of two people who change one keyset in the same moment
    one is told so. The version before stays in the secret, as many as the engine is set to keep.

    Args:
        location: ``//MOUNT/PATH``.
        open_client: Makes the client.

    Raises:
        ArgumentError: Mount or path is missing.
    """

    kms_key = None

    def __init__(self, location: str, open_client: OpenVault = open_vault) -> None:
        self._mount, _, self._path = location.removeprefix("//").partition("/")
        if not self._mount or not self._path:
            raise ArgumentError("keyset vault-kv: give vault-kv://MOUNT/PATH")
        self.uri = f"vault-kv://{self._mount}/{self._path}"
        self._open_client = open_client

    def fetch(self) -> StoredKeyset:
        """Read the secret."""
        content, _ = self._read()
        return StoredKeyset(content, self.uri)

    def create(self, content: bytes) -> None:
        """Make the secret; `KeysetError` if it is there."""
        self._write(content, version=0, conflict=ALREADY_EXISTS)

    def replace(self, expected: bytes, content: bytes) -> str:
        """Give the secret a new version."""
        current, version = self._read()
        if current != expected:
            raise KeysetError(f"keyset {self.uri}: {CHANGED_MEANWHILE}")
        self._write(content, version=version, conflict=CHANGED_MEANWHILE)
        return f"the secret's version {version}"

    def _read(self) -> tuple[bytes, int]:
        with _map_vault_errors(self.uri):
            answer = self._open_client().secrets.kv.v2.read_secret_version(
                path=self._path, mount_point=self._mount, raise_on_deleted_version=True
            )
        content = answer["data"]["data"].get(FIELD)
        if not isinstance(content, str):
            raise KeysetError(f"keyset {self.uri}: the secret has no field {FIELD!r} with a text")
        return content.encode(), int(answer["data"]["metadata"]["version"])

    def _write(self, content: bytes, version: int, conflict: str) -> None:
        with _map_vault_errors(self.uri):
            try:
                self._open_client().secrets.kv.v2.create_or_update_secret(
                    path=self._path, mount_point=self._mount, secret={FIELD: content.decode()}, cas=version
                )
            except exceptions.InvalidRequest as error:
                if "check-and-set" not in str(error):
                    raise
                raise KeysetError(f"keyset {self.uri}: {conflict}") from None


class VaultTransitKey(aead.Aead):
    """A key of Vault's transit engine that encrypts keysets. It has to be of a kind that takes associated data.

    Args:
        location: ``//MOUNT/KEY``; the mount may have several parts.
        open_client: Makes the client.

    Raises:
        ArgumentError: Mount or key is missing.
    """

    def __init__(self, location: str, open_client: OpenVault = open_vault) -> None:
        self._mount, _, self._key = location.removeprefix("//").rpartition("/")
        if not self._mount or not self._key:
            raise ArgumentError("keyset vault-transit: give the key, MOUNT/KEY, after vault-transit://")
        self.uri = f"vault-transit://{self._mount}/{self._key}"
        self._open_client = open_client

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Encrypt a keyset."""
        with _map_vault_errors(self.uri):
            answer = self._open_client().secrets.transit.encrypt_data(
                name=self._key,
                mount_point=self._mount,
                plaintext=base64.b64encode(plaintext).decode(),
                associated_data=base64.b64encode(associated_data).decode(),
            )
        return str(answer["data"]["ciphertext"]).encode()

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Decrypt a keyset.

        Raises:
            NotDecryptedError: Vault does not, for another key or another purpose encrypted it.
        """
        with _map_vault_errors(self.uri):
            try:
                answer = self._open_client().secrets.transit.decrypt_data(
                    name=self._key,
                    mount_point=self._mount,
                    ciphertext=ciphertext.decode(),
                    associated_data=base64.b64encode(associated_data).decode(),
                )
            except exceptions.InvalidRequest:
                raise NotDecryptedError(
                    f"keyset {self.uri}: was not encrypted by this key of Vault, or was damaged"
                ) from None
        return base64.b64decode(answer["data"]["plaintext"])


@contextlib.contextmanager
def _map_vault_errors(uri: str) -> Iterator[None]:
    """Turn what Vault answers into our errors; its own texts may quote what it was sent, so they are not passed on."""
    try:
        with WATCHDOG.watching(f"keyset {uri}: an answer of Vault"):
            yield
    except (exceptions.Unauthorized, exceptions.Forbidden) as error:
        raise KeysetError(
            f"keyset {uri}: Vault refuses this token ({type(error).__name__}); it takes read, create and update on the "
            "path of a secret, and update on encrypt/KEY and decrypt/KEY of the transit engine; see VAULT_TOKEN"
        ) from None
    except exceptions.InvalidPath:
        raise KeysetError(f"keyset {uri}: is not there (InvalidPath)", remedy=Remedy.CREATE_KEYSET) from None
    except (exceptions.InvalidRequest, exceptions.ParamValidationError, exceptions.UnsupportedOperation) as error:
        raise KeysetError(
            f"keyset {uri}: Vault does not take it ({type(error).__name__}); is the engine of the kind that the URI "
            "says, KV version 2 or transit with an AES-GCM or ChaCha20 key?"
        ) from None
    except (exceptions.VaultError, requests.RequestException) as error:
        raise KeysetUnavailableError(
            f"keyset {uri}: Vault did not answer as it should ({type(error).__name__}); see VAULT_ADDR, and try again"
        ) from None
