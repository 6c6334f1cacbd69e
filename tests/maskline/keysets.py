"""Keysets of keys that a test knows, and the tokens they must make by an implementation that is not Tink's."""

from __future__ import annotations

import base64
import hmac
import json

from Crypto.Cipher import AES

from maskline.keys import HashKeyset, Keyset, StoredKeyset, open_hash_keyset, open_keyset

KEY = bytes(range(64))
OTHER_KEY = bytes(range(100, 164))
HASH_KEY = bytes(range(200, 232))


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


def hash_key(key_id: int = 9, key: bytes = HASH_KEY) -> dict[str, object]:
    """Return a key of HMAC-SHA256 as it stands in Tink's JSON: version 0, SHA256, the key."""
    value = b"\x12\x02\x08\x03\x1a" + len(key).to_bytes(1, "big") + key
    return {
        "keyData": {
            "typeUrl": "type.googleapis.com/google.crypto.tink.HmacPrfKey",
            "value": base64.b64encode(value).decode(),
            "keyMaterialType": "SYMMETRIC",
        },
        "status": "ENABLED",
        "keyId": key_id,
        "outputPrefixType": "RAW",
    }


def opened_hash(key: bytes = HASH_KEY) -> HashKeyset:
    """Return an opened keyset of hashes."""
    return open_hash_keyset(stored(hash_key(9, key), primary=9))


def reference_hash(key: bytes, clear: str, domain: str) -> str:
    """Return the hash of a value as it is described, by the standard library."""
    digest = hmac.digest(key, domain.encode() + b"\0" + clear.encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:16]).decode().replace("=", "")
