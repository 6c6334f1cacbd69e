"""Keysets of keys that a test knows, and the tokens they must make by an implementation that is not Tink's."""

from __future__ import annotations

import base64
import json

from Crypto.Cipher import AES
from google.protobuf import json_format
from tink.proto import aes_siv_pb2, tink_pb2

from maskline.keys import Keyset, StoredKeyset, open_keyset

KEY = bytes(range(64))
OTHER_KEY = bytes(range(100, 164))


def aes_siv_key(
    key_id: int, key: bytes = KEY, *, prefix: int = tink_pb2.TINK, status: int = tink_pb2.ENABLED
) -> tink_pb2.Keyset.Key:
    """Return a key of a Tink keyset."""
    return tink_pb2.Keyset.Key(
        key_id=key_id,
        status=status,
        output_prefix_type=prefix,
        key_data=tink_pb2.KeyData(
            type_url="type.googleapis.com/google.crypto.tink.AesSivKey",
            key_material_type=tink_pb2.KeyData.SYMMETRIC,
            value=aes_siv_pb2.AesSivKey(key_value=key).SerializeToString(),
        ),
    )


def stored(*keys: tink_pb2.Keyset.Key, primary: int) -> StoredKeyset:
    """Return a keyset as a provider would give it."""
    keyset = tink_pb2.Keyset(primary_key_id=primary, key=keys)
    return StoredKeyset(json_format.MessageToJson(keyset).encode(), "test:known")


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
