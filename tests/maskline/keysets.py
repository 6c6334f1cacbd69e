"""Keysets of keys that a test knows, and the tokens they must make by an implementation that is not Tink's."""

from __future__ import annotations

import base64
import json

from Crypto.Cipher import AES

from maskline.keys import Keyset, StoredKeyset, open_keyset

KEY = bytes(range(64))
OTHER_KEY = bytes(range(100, 164))


def aes_siv_key(key_id: int, key: bytes = KEY, *, prefix: str = "TINK", status: str = "ENABLED") -> dict[str, object]:
    """Return a key as it stands in Tink's JSON."""
    key_field = b"\x12" + len(key).to_bytes(1, "big") + key
    return {
        "keyData": {
            "typeUrl": "type.googleapis.com/google.crypto.tink.AesSivKey",
            "value": base64.b64encode(key_field).decode(),
            "keyMaterialType": "SYMMETRIC",
        },
        "status": status,
        "keyId": key_id,
        "outputPrefixType": prefix,
    }


def stored(*keys: dict[str, object], primary: int) -> StoredKeyset:
    """Return a keyset as a provider would give it."""
    return StoredKeyset(json.dumps({"primaryKeyId": primary, "key": keys}).encode(), "test:known")


def opened(key_id: int, key: bytes = KEY) -> Keyset:
    """Return an opened keyset of one key."""
    return open_keyset(stored(aes_siv_key(key_id, key), primary=key_id))


def raw_key(stored_keyset: StoredKeyset) -> bytes:
    """Take the 64 key bytes out of a keyset of one key, without Tink."""
    value = base64.b64decode(json.loads(stored_keyset.content)["key"][0]["keyData"]["value"])
    assert value[:2] == b"\x12\x40", "field 2, 64 bytes"
    return value[2:]


def siv(key: bytes, clear: bytes, associated_data: bytes) -> bytes:
    """Encrypt as RFC 5297 says, by pycryptodome: the synthetic IV, then the ciphertext."""
    cipher = AES.new(key, AES.MODE_SIV)
    cipher.update(associated_data)
    ciphertext, synthetic_iv = cipher.encrypt_and_digest(clear)
    return bytes(synthetic_iv + ciphertext)


def reference_token(key: bytes, key_id: int, clear: str, domain: str) -> str:
    """Return the token of a value as the wire format is described, by pycryptodome."""
    ciphertext = b"\x01" + key_id.to_bytes(4, "big") + siv(key, clear.encode(), domain.encode())
    return base64.urlsafe_b64encode(ciphertext).decode().replace("=", "")
