"""Changing a keyset key by key: the steps of a rotation.

A key is added, becomes the primary once every reader knows it, and is disabled and destroyed once nothing carries its
id any more. Each step leaves every other key as it is, so what they masked stays recoverable.

Source: https://developers.google.com/tink/key-management-overview
"""

from __future__ import annotations

import secrets
from typing import NoReturn

import msgspec
import tink
from tink import proto_keyset_format, secret_key_access
from tink.proto import aes_siv_pb2, tink_pb2

from maskline.errors import ArgumentError
from maskline.keys.keyset import AES_SIV_TYPE, new_keyset_handle

KEY_BYTES = 64
_HALF_BYTES = KEY_BYTES // 2
_MIN_DIFFERENT_BYTES = 18
"""How many different bytes each half must have; 32 random ones have 30, and fewer than 18 once in 10¹³ times."""

ENABLED, DISABLED, DESTROYED = "enabled", "disabled", "destroyed"
RAW = "raw"
MAX_KEY_ID = 2**31 - 1
"""Tink in Java reads an id as a signed 32-bit number, so new ids stay positive there, too."""


class KeyInfo(msgspec.Struct, frozen=True):
    """What may be known of a key: everything but its bytes.

    Attributes:
        key_id: Its id, an unsigned 32-bit number.
        state: ``enabled``, ``disabled`` or ``destroyed``.
        prefix: ``tink`` where its tokens name it, ``raw`` where they are plain AES-SIV.
        is_primary: Whether it masks.
    """

    key_id: int
    state: str
    prefix: str
    is_primary: bool


class KeysetEditor:
    """A keyset that is being changed. It starts from a sound one, and every step leaves it sound.

    Args:
        handle: The keyset to start from, which stays as it is.
    """

    def __init__(self, handle: tink.KeysetHandle) -> None:
        self._before = proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
        self._keyset = tink_pb2.Keyset.FromString(self._before)

    def handle(self) -> tink.KeysetHandle:
        """Return the keyset as it is now."""
        return proto_keyset_format.parse(self._keyset.SerializeToString(), secret_key_access.TOKEN)

    @property
    def is_changed(self) -> bool:
        """Whether it is another keyset than it was."""
        return bool(self._keyset != tink_pb2.Keyset.FromString(self._before))

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled, as an opened keyset does."""
        raise TypeError("a keyset that is being changed stays in this process")

    def keys(self) -> list[KeyInfo]:
        """Describe the keys, in the order in which they were added."""
        return [
            KeyInfo(
                key.key_id,
                tink_pb2.KeyStatusType.Name(key.status).lower(),
                tink_pb2.OutputPrefixType.Name(key.output_prefix_type).lower(),
                key.key_id == self._keyset.primary_key_id,
            )
            for key in self._keyset.key
        ]

    def key(self, key_id: int) -> KeyInfo:
        """Describe one key.

        Raises:
            ArgumentError: There is no such key.
        """
        self._find(key_id)
        return next(key for key in self.keys() if key.key_id == key_id)

    def add(self) -> int:
        """Add a new random AES256_SIV key, not yet the primary, and return its id."""
        fresh = KeysetEditor(new_keyset_handle())
        return self._append(fresh._keyset.key[0].key_data, tink_pb2.TINK)

    def import_key(self, key: bytes, *, is_raw: bool) -> int:
        """Add a key that was made elsewhere, not yet the primary, and return its id.

        Args:
            key: 64 bytes: the two AES-256 keys of AES-SIV, the one of the synthetic IV first (RFC 5297).
            is_raw: Whether it is there to read plain AES-SIV, which names no key; such a key never becomes the primary.

        Raises:
            ArgumentError: It is not 64 bytes long, in the keyset already, or too regular to be random.
        """
        if len(key) != KEY_BYTES:
            raise ArgumentError(f"key: is {len(key)} bytes long; AES256_SIV takes {KEY_BYTES}")
        _check_random(key)
        key_data = tink_pb2.KeyData(
            type_url=AES_SIV_TYPE,
            value=aes_siv_pb2.AesSivKey(key_value=key).SerializeToString(),
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
        )
        prefix = tink_pb2.RAW if is_raw else tink_pb2.TINK
        for known in self._keyset.key:
            if known.key_data == key_data and known.output_prefix_type == prefix:
                raise ArgumentError(f"key: is in the keyset already, as key {known.key_id}")
        return self._append(key_data, prefix)

    def promote(self, key_id: int) -> None:
        """Make a key the primary.

        Raises:
            ArgumentError: There is no such key, it is not enabled, or its tokens would not name it.
        """
        key = self._find(key_id)
        if key.status != tink_pb2.ENABLED:
            raise ArgumentError(f"key {key_id}: is {self.key(key_id).state}; only an enabled key can be the primary")
        if key.output_prefix_type != tink_pb2.TINK:
            raise ArgumentError(f"key {key_id}: reads plain AES-SIV; its tokens would not name the key that made them")
        self._keyset.primary_key_id = key_id

    def enable(self, key_id: int) -> None:
        """Let a disabled key unmask again.

        Raises:
            ArgumentError: There is no such key, or it was destroyed.
        """
        self._set_status(key_id, tink_pb2.ENABLED)

    def disable(self, key_id: int) -> None:
        """Keep a key that unmasks no more, until it is enabled again.

        Raises:
            ArgumentError: There is no such key, it was destroyed, or is the primary.
        """
        self._refuse_primary(key_id, "disabled")
        self._set_status(key_id, tink_pb2.DISABLED)

    def destroy(self, key_id: int) -> None:
        """Remove a key for good, and its id with it: Tink in Java reads no keyset that holds a key without its bytes.

        Raises:
            ArgumentError: There is no such key, or it is the primary.
        """
        self._refuse_primary(key_id, "destroyed")
        self._keyset.key.remove(self._find(key_id))

    def _append(self, key_data: tink_pb2.KeyData, prefix: tink_pb2.OutputPrefixType) -> int:
        known = {key.key_id for key in self._keyset.key}
        key_id = next(key_id for key_id in iter(_random_key_id, None) if key_id not in known)
        self._keyset.key.add(key_data=key_data, status=tink_pb2.ENABLED, key_id=key_id, output_prefix_type=prefix)
        return key_id

    def keep_primary_alone(self) -> None:
        """Take away the bytes of all keys but the primary's. What is left of the others is their ids, as destroyed."""
        for key in self._keyset.key:
            if key.key_id != self._keyset.primary_key_id:
                key.status = tink_pb2.DESTROYED
                key.ClearField("key_data")

    def _find(self, key_id: int) -> tink_pb2.Keyset.Key:
        for key in self._keyset.key:
            if key.key_id == key_id:
                return key
        known = ", ".join(str(key.key_id) for key in self._keyset.key)
        raise ArgumentError(f"key {key_id}: is not in the keyset; it has: {known}")

    def _refuse_primary(self, key_id: int, what: str) -> None:
        if key_id == self._keyset.primary_key_id:
            raise ArgumentError(f"key {key_id}: is the primary and cannot be {what}; promote another one first")

    def _set_status(self, key_id: int, status: tink_pb2.KeyStatusType) -> None:
        key = self._find(key_id)
        if key.status == tink_pb2.DESTROYED:
            raise ArgumentError(f"key {key_id}: was destroyed, and nothing brings it back")
        key.status = status


def _check_random(key: bytes) -> None:
    """Refuse a key that somebody could find by trying, or whose halves, which are two keys, are one."""
    halves = key[:_HALF_BYTES], key[_HALF_BYTES:]
    if halves[0] == halves[1]:
        raise ArgumentError("key: its two halves are the same, and AES-SIV needs two keys that are not")
    if any(len(set(half)) < _MIN_DIFFERENT_BYTES for half in halves):
        raise ArgumentError(
            "key: repeats itself too much to be random; it may be a placeholder. Take 64 random bytes: "
            "head -c 64 /dev/urandom"
        )


def _random_key_id() -> int:
    return secrets.randbelow(MAX_KEY_ID) + 1
