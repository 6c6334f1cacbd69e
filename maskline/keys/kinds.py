"""The two kinds of keysets: one masks and unmasks, the other hashes. Made, read and tried by their kind."""

from __future__ import annotations

import enum

import tink

from maskline.keys.hash_keyset import check_hash_keys, is_hash_keyset, new_hash_keyset_handle, open_hash_keyset
from maskline.keys.keyset import StoredKeyset, check_keys, new_keyset_handle, open_keyset, parse_keyset
from maskline.keys.kms import OpenKmsKey
from maskline.keys.kms_keys import open_kms_key


class KeysetKind(enum.StrEnum):
    """What a keyset is for."""

    MASK = "mask"
    HASH = "hash"

    def new_handle(self) -> tink.KeysetHandle:
        """Make a new keyset of this kind, with one key."""
        return new_hash_keyset_handle() if self is KeysetKind.HASH else new_keyset_handle()


def stored_handle(stored: StoredKeyset, open_kms_key: OpenKmsKey = open_kms_key) -> tink.KeysetHandle:
    """Return Tink's handle of a stored keyset of either kind.

    Args:
        stored: The keyset as its provider gave it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Raises:
        KeysetError: It is no keyset, or its keys are not fit for its kind.
        KeysetUnavailableError: KMS did not answer.
    """
    handle = parse_keyset(stored, open_kms_key)
    check = check_hash_keys if is_hash_keyset(handle) else check_keys
    check(handle.keyset_info(), stored.origin)
    return handle


def try_keyset(handle: tink.KeysetHandle, stored: StoredKeyset, open_kms_key: OpenKmsKey = open_kms_key) -> None:
    """Open a stored keyset as it will be opened for use.

    Args:
        handle: The same keyset, which says of which kind it is.
        stored: The keyset as it will be kept.
        open_kms_key: Gives access to a KMS key by its ARN.

    Raises:
        KeysetError: It cannot be used.
        KeysetUnavailableError: KMS did not answer.
    """
    if is_hash_keyset(handle):
        open_hash_keyset(stored, open_kms_key)
    else:
        open_keyset(stored, open_kms_key)
