"""The keyset of hashes: one key of HMAC-SHA256, through Tink's PRF. It has nothing to do with the keyset that masks.

It is not rotated: there is no way from an old hash to a new one.

Source: https://developers.google.com/tink/prf
"""

from __future__ import annotations

from typing import NoReturn

import tink
from tink import prf
from tink.proto import tink_pb2

from maskline.errors import KeysetError, Remedy
from maskline.keys.keyset import HMAC_PRF_TYPE, StoredKeyset, parse_keyset
from maskline.keys.kms import OpenKmsKey
from maskline.keys.kms_keys import open_kms_key

prf.register()


class HashKeyset:
    """An opened keyset of hashes.

    *Guarantees*: as a `Keyset`, it shows no key and refuses to be pickled. Thread-safe.

    Args:
        handle: Tink's handle, holding one HMAC-SHA256 PRF key.
    """

    def __init__(self, handle: tink.KeysetHandle) -> None:
        self.key_id: int = handle.keyset_info().primary_key_id
        self._compute = handle.primitive(prf.PrfSet).primary().compute

    def compute(self, data: bytes, length: int) -> bytes:
        """Return so many of the first bytes of the HMAC-SHA256 of some data.

        Args:
            data: The data.
            length: How many bytes, 32 at most.
        """
        return bytes(self._compute(data, length))

    def __repr__(self) -> str:
        """Name the key by its id."""
        return f"HashKeyset(key id {self.key_id})"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("an opened keyset stays in this process; pass the StoredKeyset or its URI on instead")


def new_hash_keyset_handle() -> tink.KeysetHandle:
    """Make a new keyset with one key of HMAC-SHA256, 32 bytes."""
    return tink.new_keyset_handle(prf.prf_key_templates.HMAC_SHA256)


def is_hash_keyset(handle: tink.KeysetHandle) -> bool:
    """Return whether a keyset has keys of hashes, and so is none that masks."""
    return any(key.type_url == HMAC_PRF_TYPE for key in handle.keyset_info().key_info)


def check_hash_keys(info: tink_pb2.KeysetInfo, origin: str) -> None:
    """Check that a keyset has one key, and that it is fit for hashing.

    Args:
        info: What Tink tells of the keyset.
        origin: Where it came from, for the error.

    Raises:
        KeysetError: It has several keys or none, or its key is of another kind.
    """
    keys = [key for key in info.key_info if key.status != tink_pb2.DESTROYED]
    for key in keys:
        if key.type_url != HMAC_PRF_TYPE:
            found = key.type_url.rpartition(".")[2]
            raise KeysetError(
                f"keyset {origin}: key {key.key_id} is an {found}; hashes take a keyset with an HmacPrfKey",
                remedy=Remedy.CREATE_HASH_KEYSET,
            )
    if len(keys) != 1:
        raise KeysetError(f"keyset {origin}: has {len(keys)} keys; hashes of two keys never match, so it has one")


def open_hash_keyset(stored: StoredKeyset, open_kms_key: OpenKmsKey = open_kms_key) -> HashKeyset:
    """Open a stored keyset of hashes, and try its key.

    Args:
        stored: The keyset as its provider gave it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Raises:
        KeysetError: It is not a Tink keyset, is of another kind, has several keys, or its key cannot be used.
        KeysetUnavailableError: KMS did not answer.
    """
    handle = parse_keyset(stored, open_kms_key)
    check_hash_keys(handle.keyset_info(), stored.origin)
    try:
        keyset = HashKeyset(handle)
        keyset.compute(b"self-test", 32)  # an HMAC of less than SHA-256 gives no 32 bytes
    except tink.TinkError:
        raise KeysetError(
            f"keyset {stored.origin}: its key cannot be used; is it a whole key of HMAC-SHA256?"
        ) from None
    return keyset
