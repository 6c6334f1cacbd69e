"""Where a keyset is kept, as a value: parsed once, then carried by settings, transforms and job graphs."""

from __future__ import annotations

import msgspec

from maskline.errors import ArgumentError
from maskline.keys.hash_keyset import HashKeyset, open_hash_keyset
from maskline.keys.keyset import Keyset, open_keyset
from maskline.keys.providers import KeysetProvider, keyset_provider


class KeysetUri(msgspec.Struct, frozen=True):
    """The URI of a keyset, known to name a provider. It holds no secret, and can be pickled.

    Make one with `parse`.

    Attributes:
        text: The URI.
        kms_key: The ARN of the KMS key that encrypts the keyset, or None where it is kept in clear.
    """

    text: str
    kms_key: str | None

    @classmethod
    def parse(cls, uri: str | KeysetUri) -> KeysetUri:
        """Read a URI.

        Args:
            uri: One of those in `maskline.keys.providers`; what is parsed already is returned as it is.

        Raises:
            ArgumentError: It names no provider. The error does not repeat it, for it could be the keyset itself.
        """
        if isinstance(uri, KeysetUri):
            return uri
        if not isinstance(uri, str):
            raise ArgumentError(f"keyset is a {type(uri).__name__}; give its URI, for example file:keyset.json")
        provider = keyset_provider(uri)
        return cls(provider.uri, provider.kms_key)

    def provider(self) -> KeysetProvider:
        """Return what reads and changes the keyset."""
        return keyset_provider(self.text)

    def open(self) -> Keyset:
        """Read the keyset and open it.

        Raises:
            KeysetError: It is not there or not to be read, or does not mask deterministically; see `open_keyset`.
            KeysetUnavailableError: A service that keeps or decrypts it did not answer.
        """
        return open_keyset(self.provider().fetch())

    def open_hash(self) -> HashKeyset:
        """Read the keyset of hashes and open it.

        Raises:
            KeysetError: It is not there or not to be read, or is no keyset of hashes; see `open_hash_keyset`.
            KeysetUnavailableError: A service that keeps or decrypts it did not answer.
        """
        return open_hash_keyset(self.provider().fetch())

    def __str__(self) -> str:
        """The URI."""
        return self.text


def load_keyset(uri: str | KeysetUri) -> Keyset:
    """Read and open a keyset.

    Args:
        uri: Where it is kept: ``file:PATH``, ``env:NAME``, ``aws-secretsmanager://NAME`` or
            ``aws-kms://KEY_ARN?keyset=URI``; see `maskline.keys.providers`.

    Raises:
        ArgumentError: The URI names no provider.
        KeysetError: The keyset is not there or not to be read, or does not mask deterministically.
        KeysetUnavailableError: A service that keeps or decrypts it did not answer.
    """
    return KeysetUri.parse(uri).open()
