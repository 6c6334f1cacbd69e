"""A keyset in its two forms: as stored, and opened into a cipher.

The cipher is AES-SIV (RFC 5297) through Tink's DeterministicAead, key type AES256_SIV: equal values under equal
associated data give equal ciphertexts, and a ciphertext that was altered is refused.

Source: https://developers.google.com/tink/deterministic-aead
"""

from __future__ import annotations

from typing import NoReturn

import tink
from tink import daead, json_proto_keyset_format, secret_key_access
from tink.proto import tink_pb2

from maskline.errors import KeysetError
from maskline.records import Discreet

AES_SIV_TYPE = "type.googleapis.com/google.crypto.tink.AesSivKey"

daead.register()


class StoredKeyset(Discreet, frozen=True):
    """A keyset as its provider keeps it, on its way to the workers that open it.

    Attributes:
        content: Tink's JSON keyset.
        origin: The URI it was read from, for errors.
    """

    content: bytes
    origin: str

    def __repr__(self) -> str:
        """Say where the keyset came from and nothing of what is in it."""
        return f"StoredKeyset({self.origin})"


class Keyset:
    """An opened keyset: encrypts under its primary key, decrypts under any of its keys.

    *Guarantees*: key bytes appear in no ``repr``, and the object refuses to be pickled, so it cannot slip into a job
    graph, a checkpoint or another process. Thread-safe.

    Args:
        handle: Tink's handle, holding AES-SIV keys only.
    """

    def __init__(self, handle: tink.KeysetHandle) -> None:
        info = handle.keyset_info()
        self.primary_key_id: int = info.primary_key_id
        self.key_ids: frozenset[int] = frozenset(key.key_id for key in info.key_info if key.status == tink_pb2.ENABLED)
        self._cipher = handle.primitive(daead.DeterministicAead)

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Encrypt deterministically under the primary key, in Tink's wire format."""
        return bytes(self._cipher.encrypt_deterministically(plaintext, associated_data))

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Decrypt what any of the keys encrypted.

        Raises:
            tink.TinkError: No key fits, the ciphertext was altered, or the associated data is another.
        """
        return bytes(self._cipher.decrypt_deterministically(ciphertext, associated_data))

    def __repr__(self) -> str:
        """Name the keys by id."""
        return f"Keyset(primary key id {self.primary_key_id}, {len(self.key_ids)} keys)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("an opened keyset stays in this process; pass the StoredKeyset or its URI on instead")


def create_keyset() -> bytes:
    """Make a new keyset with one AES256_SIV key, the primary, as Tink's JSON."""
    handle = tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)
    serialized: str = json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
    return serialized.encode()


def open_keyset(stored: StoredKeyset) -> Keyset:
    """Open a stored keyset and try its primary key.

    Args:
        stored: The keyset as its provider gave it.

    Raises:
        KeysetError: It is not a Tink keyset, holds a key that does not encrypt deterministically or does not put its id
            into what it encrypts, or its primary key does not give back what it encrypted.
    """
    try:
        handle = json_proto_keyset_format.parse(stored.content.decode(), secret_key_access.TOKEN)
        info = handle.keyset_info()
    except (tink.TinkError, UnicodeDecodeError):
        # Tink's message may quote from the file, so it is not passed on.
        raise KeysetError(f"keyset {stored.origin}: is not a Tink keyset in JSON; is it the right file?") from None
    for key in info.key_info:
        if key.type_url != AES_SIV_TYPE:
            found = key.type_url.rpartition(".")[2]
            raise KeysetError(
                f"keyset {stored.origin}: key {key.key_id} is a {found}; masking needs AES256_SIV keys "
                "(make one with: python -m pipeline keys create --keyset URI)"
            )
        if key.output_prefix_type != tink_pb2.TINK:
            raise KeysetError(
                f"keyset {stored.origin}: key {key.key_id} has no prefix of type TINK, so its tokens would not name "
                "the key that made them"
            )
    try:
        keyset = Keyset(handle)
        if keyset.decrypt(keyset.encrypt(b"maskline", b"self-test"), b"self-test") != b"maskline":
            raise KeysetError(f"keyset {stored.origin}: its primary key does not give back what it encrypted")
    except tink.TinkError:
        raise KeysetError(f"keyset {stored.origin}: its primary key cannot encrypt; is it complete?") from None
    return keyset
