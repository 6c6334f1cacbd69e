"""Where keysets are kept: a URI names the place, a provider reads and changes what is kept there.

============================================  =====================================================================
``file:PATH``                                 a file that only its owner can read
``env:NAME``                                  an environment variable; it can be read only
``aws-secretsmanager://NAME``                 a secret of AWS Secrets Manager, by name or ARN
``azure-keyvault-secret://HOST/SECRET``       a secret of Azure Key Vault
``gcp-secretmanager://projects/P/secrets/S``  a secret of Google Secret Manager
``vault-kv://MOUNT/PATH``                     a secret of Vault's KV engine, version 2
``aws-kms://KEY_ARN?keyset=URI``              a keyset that a KMS key encrypts, kept at any of the above or at
                                              ``s3://BUCKET/KEY``
``azure-keyvault-key://HOST/KEY?keyset=URI``  likewise, by an RSA key of Azure Key Vault
``gcp-kms://KEY_NAME?keyset=URI``             likewise, by a key of Google Cloud KMS
``vault-transit://MOUNT/KEY?keyset=URI``      likewise, by a key of Vault's transit engine
============================================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from maskline.errors import ArgumentError
from maskline.extras import naming_extra
from maskline.keys.environment import EnvironmentKeyset
from maskline.keys.files import FileKeyset
from maskline.keys.keyset import StoredKeyset
from maskline.keys.kms_keys import AWS, KEY_FORMS, check_key
from maskline.keys.s3 import S3Keyset
from maskline.keys.secrets_manager import SecretsManagerKeyset

_KEYSET_PARAMETER = "?keyset="
_EXAMPLE = "for example file:keyset.json"


class KeysetStore(Protocol):
    """A place that keeps the bytes of one keyset.

    Every method raises a `KeysetError` where the place cannot be reached with the permissions of this process, and a
    `KeysetUnavailableError` where a service does not answer.
    """

    @property
    def uri(self) -> str:
        """The URI that names it; it holds no secret."""

    def fetch(self) -> StoredKeyset:
        """Read the keyset as it is stored.

        Raises:
            KeysetError: It is not there, or not to be read.
        """

    def create(self, content: bytes) -> None:
        """Keep a keyset where none is kept yet.

        Raises:
            KeysetError: There is one already; it is left alone.
        """

    def replace(self, expected: bytes, content: bytes) -> str:
        """Put a new version in the place of the one that was read, whole or not at all.

        Args:
            expected: The version that was read.
            content: The new version.

        Returns:
            Where the version before is kept now.

        Raises:
            KeysetError: Somebody else changed the keyset in between; nothing was changed.
        """


class KeysetProvider(KeysetStore, Protocol):
    """A place, and what it takes to open the keyset that is kept there."""

    @property
    def kms_key(self) -> str | None:
        """The key that encrypts the keyset, the ARN of AWS KMS' or a URI, or None where it is kept in clear."""


class KmsEncryptedKeyset:
    """A keyset that a KMS key encrypts, kept somewhere else. It is decrypted where it is opened and nowhere before.

    Args:
        key: The KMS key: an ARN, or what stands behind the scheme of another.
        place: Where the encrypted keyset is kept.
        scheme: Whose key it is, one of `maskline.keys.kms_keys.KEY_FORMS`.
    """

    def __init__(self, key: str, place: KeysetStore, scheme: str = AWS) -> None:
        self.kms_key = check_key(scheme, key)
        self.uri = f"{scheme}://{key}{_KEYSET_PARAMETER}{place.uri}"
        self._place = place

    def fetch(self) -> StoredKeyset:
        """Read the keyset, still encrypted."""
        return StoredKeyset(self._place.fetch().content, self.uri, self.kms_key)

    def create(self, content: bytes) -> None:
        """Keep an encrypted keyset."""
        self._place.create(content)

    def replace(self, expected: bytes, content: bytes) -> str:
        """Replace the encrypted keyset."""
        return self._place.replace(expected, content)


def keyset_provider(uri: str) -> KeysetProvider:
    """Return the provider that a URI names.

    Args:
        uri: One of those above.

    Raises:
        ArgumentError: The URI names no provider.
    """
    scheme, rest = _split(uri)
    if scheme == "s3":
        raise ArgumentError(
            "keyset s3: what is kept in S3 is encrypted by a KMS key; give aws-kms://KEY_ARN?keyset=s3://BUCKET/KEY"
        )
    if scheme not in KEY_FORMS:
        return _IN_CLEAR[scheme](rest)
    key, parameter, place = rest.removeprefix("//").partition(_KEYSET_PARAMETER)
    if not parameter:
        raise ArgumentError(
            f"keyset {scheme}: give {scheme}://{KEY_FORMS[scheme]}?keyset=URI, where URI says where the keyset is kept"
        )
    return KmsEncryptedKeyset(key, _place(place), scheme)


def _place(uri: str) -> KeysetStore:
    scheme, rest = _split(uri)
    if scheme in KEY_FORMS:
        raise ArgumentError(f"keyset {scheme}: a keyset is encrypted once; after ?keyset= comes the URI of a place")
    return _ENCRYPTED[scheme](rest)


def _split(uri: str) -> tuple[str, str]:
    scheme, colon, rest = uri.partition(":")
    if not colon or not rest.strip("/") or scheme not in _SCHEMES:
        schemes = ", ".join(f"{known}:" for known in _SCHEMES if known != "s3")
        # What was given instead may be the keyset itself, so no more than a scheme is shown.
        given = f" {scheme}" if colon and scheme.replace("-", "").isalnum() else ""
        raise ArgumentError(f"keyset{given}: give a URI that begins with one of {schemes}; {_EXAMPLE}")
    return scheme, rest


def _file(path: str, *, is_private: bool) -> FileKeyset:
    try:
        return FileKeyset(Path(path.removeprefix("//")).expanduser(), is_private=is_private)
    except RuntimeError:
        raise ArgumentError(f"keyset file:{path}: there is no such user; give the path of the file") from None


def _azure_secret(location: str) -> KeysetProvider:
    with naming_extra("a keyset of azure-keyvault-secret://", "azure"):
        from maskline.keys.azure_key_vault.secrets import AzureSecretKeyset
    return AzureSecretKeyset(location)


def _google_secret(location: str) -> KeysetProvider:
    with naming_extra("a keyset of gcp-secretmanager://", "google"):
        from maskline.keys.google_cloud.secret_manager import GoogleSecretKeyset
    return GoogleSecretKeyset(location)


def _vault_secret(location: str) -> KeysetProvider:
    with naming_extra("a keyset of vault-kv://", "vault"):
        from maskline.keys.vault import VaultKvKeyset
    return VaultKvKeyset(location)


_IN_CLEAR: dict[str, Callable[[str], KeysetProvider]] = {
    "file": lambda path: _file(path, is_private=True),
    "env": EnvironmentKeyset,
    "aws-secretsmanager": SecretsManagerKeyset,
    "azure-keyvault-secret": _azure_secret,
    "gcp-secretmanager": _google_secret,
    "vault-kv": _vault_secret,
}
_ENCRYPTED: dict[str, Callable[[str], KeysetStore]] = {
    **_IN_CLEAR,
    "file": lambda path: _file(path, is_private=False),
    "s3": S3Keyset,
}
_SCHEMES = (*_IN_CLEAR, *KEY_FORMS, "s3")
