"""A keyset taken apart: what each of its enabled keys would make of a value.

Equal values of different keys have different tokens, so whoever looks a value up has to look for each of them.
"""

from __future__ import annotations

from typing import Protocol

import tink
from tink import daead, proto_keyset_format, secret_key_access
from tink.proto import tink_pb2

from maskline.errors import KeysetError
from maskline.keys.keyset import Keyset, StoredKeyset, keyset_handle
from maskline.keys.kms import OpenKmsKey
from maskline.keys.kms_keys import open_kms_key


class Cipher(Protocol):
    """Encrypts deterministically."""

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Return the ciphertext."""


class RawKey:
    """A key that was made elsewhere: it encrypts as plain AES-SIV does, without a prefix that names it.

    Args:
        handle: Tink's handle of the key alone.
    """

    def __init__(self, handle: tink.KeysetHandle) -> None:
        self._cipher = handle.primitive(daead.DeterministicAead)

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Return the synthetic IV and the encrypted value."""
        return bytes(self._cipher.encrypt_deterministically(plaintext, associated_data))


class EachKey:
    """The enabled keys of a keyset, each by itself.

    Args:
        stored: The keyset as its provider gave it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Attributes:
        keysets: One a key whose tokens name it; that key alone is in it. The keyset's primary comes first.
        raw_keys: The keys whose ciphertexts name none.

    Raises:
        KeysetError: As `maskline.keys.keyset.open_keyset`.
        KeysetUnavailableError: KMS did not answer.
    """

    def __init__(self, stored: StoredKeyset, open_kms_key: OpenKmsKey = open_kms_key) -> None:
        handle = keyset_handle(stored, open_kms_key)
        keyset = tink_pb2.Keyset.FromString(proto_keyset_format.serialize(handle, secret_key_access.TOKEN))
        self.keysets: list[Keyset] = []
        self.raw_keys: list[Cipher] = []
        primary_first = sorted(keyset.key, key=lambda key: key.key_id != keyset.primary_key_id)
        for key in primary_first:
            if key.status != tink_pb2.ENABLED:
                continue
            alone = tink_pb2.Keyset(primary_key_id=key.key_id, key=[key]).SerializeToString()
            try:
                handle = proto_keyset_format.parse(alone, secret_key_access.TOKEN)
                if key.output_prefix_type == tink_pb2.RAW:
                    self.raw_keys.append(RawKey(handle))
                else:
                    self.keysets.append(Keyset(handle))
            except tink.TinkError:
                raise KeysetError(f"keyset {stored.origin}: key {key.key_id} cannot be used; is it complete?") from None
