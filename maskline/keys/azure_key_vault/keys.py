"""Keys of Azure Key Vault that encrypt keysets.

Source: https://learn.microsoft.com/azure/key-vault/keys/about-keys-details,
https://learn.microsoft.com/rest/api/keyvault/keys/unwrap-key/unwrap-key
"""

from __future__ import annotations

import re

import tink
from azure.core.exceptions import HttpResponseError
from azure.keyvault.keys.crypto import KeyWrapAlgorithm
from tink import aead

from maskline.errors import ArgumentError
from maskline.keys.azure_key_vault.clients import HOST, OpenKeys, map_azure_errors, open_keys
from maskline.keys.kms import NotDecryptedError

_KEY = re.compile(rf"(?P<host>{HOST})/(?P<name>[0-9A-Za-z-]{{1,127}})(?:/(?P<version>[0-9a-f]{{32}}))?")
_VERSION = re.compile(rb"(?P<version>[0-9a-f]{32})\.")
_ALGORITHM = KeyWrapAlgorithm.rsa_oaep_256
_PERMISSIONS = (
    "unwrapKey on the key to read it, and get and wrapKey to change it (the role Key Vault Crypto User has them)"
)

aead.register()


class AzureKeyVaultKey(aead.Aead):
    """An RSA key of Azure Key Vault, in software or an HSM.

    An RSA key wraps a few bytes and knows no associated data. So a keyset is encrypted here, by a key of AES-256-GCM
    that is drawn for it and takes the associated data, and that key is wrapped by Key Vault with RSA-OAEP-256: Tink's
    envelope. In it the wrapped key follows the version of the RSA key and a dot, so that a keyset opens after the RSA
    key was rotated.

    *Security guarantees*: what opens is whole, and was made for this purpose. *Warning*: it need not have been made by
    a key holder: whoever has the RSA key's public half can wrap. See that only key holders may write the place where
    the keyset is kept.

    Args:
        location: ``//HOST/KEY`` or ``//HOST/KEY/VERSION``. Without a version, the newest one wraps.
        open_keys: Makes the client.

    Raises:
        ArgumentError: It names no key.
    """

    def __init__(self, location: str, open_keys: OpenKeys = open_keys) -> None:
        match = _KEY.fullmatch(location.removeprefix("//"))
        if match is None:
            raise ArgumentError(
                "keyset azure-keyvault-key: give the vault's host and the key, NAME.vault.azure.net/KEY, after "
                "azure-keyvault-key://"
            )
        self.uri = f"azure-keyvault-key://{match[0]}"
        wrapping = _WrappingKey(self.uri, match["host"], match["name"], match["version"], open_keys)
        self._envelope = aead.KmsEnvelopeAead(aead.aead_key_templates.AES256_GCM, wrapping)

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Encrypt a keyset.

        Raises:
            KeysetError: The key may not be used, or is not there.
            KeysetUnavailableError: Key Vault did not answer as it should.
        """
        return bytes(self._envelope.encrypt(plaintext, associated_data))

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Decrypt a keyset.

        Raises:
            NotDecryptedError: Another key or another purpose encrypted it, or it was damaged.
            KeysetError: The key may not be used, or is not there.
            KeysetUnavailableError: Key Vault did not answer as it should.
        """
        try:
            return bytes(self._envelope.decrypt(ciphertext, associated_data))
        except tink.TinkError:
            raise _not_decrypted(self.uri) from None


class _WrappingKey(aead.Aead):
    """Wraps the keys of an envelope, which are without associated data."""

    def __init__(self, uri: str, host: str, name: str, version: str | None, open_keys: OpenKeys) -> None:
        self._uri = uri
        self._host = host
        self._name = name
        self._version = version
        self._open_keys = open_keys

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        assert not associated_data, "the envelope has it"
        with map_azure_errors(self._uri, _PERMISSIONS):
            client = self._open_keys(f"https://{self._host}")
            version = str(client.get_key(self._name, self._version).properties.version)
            key = client.get_cryptography_client(self._name, key_version=version)
            wrapped = bytes(key.wrap_key(_ALGORITHM, plaintext).encrypted_key)
        return f"{version}.".encode() + wrapped

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        assert not associated_data, "the envelope has it"
        # The place where a keyset is kept is not trusted: what stands in it becomes part of a URL.
        match = _VERSION.match(ciphertext)
        if match is None or self._version not in (None, match["version"].decode()):
            raise _not_decrypted(self._uri)
        with map_azure_errors(self._uri, _PERMISSIONS):
            client = self._open_keys(f"https://{self._host}")
            key = client.get_cryptography_client(self._name, key_version=match["version"].decode())
            try:
                return bytes(key.unwrap_key(_ALGORITHM, ciphertext[match.end() :]).key)
            except HttpResponseError as error:
                if error.status_code == 400:
                    raise _not_decrypted(self._uri) from None
                raise


def _not_decrypted(uri: str) -> NotDecryptedError:
    return NotDecryptedError(f"keyset {uri}: was not encrypted by this key of Azure Key Vault, or was damaged")
