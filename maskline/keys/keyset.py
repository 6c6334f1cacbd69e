"""A keyset in its two forms: as stored, and opened into a cipher.

The cipher is AES-SIV (RFC 5297) through Tink's DeterministicAead, key type AES256_SIV: equal values under equal
associated data give equal ciphertexts, and a ciphertext that was altered is refused.

Source: https://developers.google.com/tink/deterministic-aead
"""

from __future__ import annotations

import logging
from typing import NoReturn

import tink
from tink import JsonKeysetReader, daead, json_proto_keyset_format, proto_keyset_format, secret_key_access
from tink.proto import tink_pb2

from maskline.errors import KeysetError, KeysetUnavailableError, Remedy
from maskline.keys.kms import (
    KEYSET_PURPOSE,
    KmsKey,
    NotDecryptedError,
    OpenKmsKey,
    map_kms_errors,
)
from maskline.keys.kms_keys import open_kms_key
from maskline.records import Redacted

AES_SIV_TYPE = "type.googleapis.com/google.crypto.tink.AesSivKey"
HMAC_PRF_TYPE = "type.googleapis.com/google.crypto.tink.HmacPrfKey"
"""That of a keyset of hashes."""

NOT_A_KEYSET = "is not a Tink keyset in JSON; is it the right file?"
NOT_SOUND = "has no one enabled primary key, or a key that is not whole; was it edited by hand?"
_ENCRYPTED_FIELD = b'"encryptedKeyset"'

daead.register()

logger = logging.getLogger(__name__)


class StoredKeyset(Redacted, frozen=True):
    """A keyset as its provider keeps it, on its way to the workers that open it.

    Attributes:
        content: Tink's JSON keyset, in clear or encrypted.
        origin: The URI it was read from, for errors.
        kms_key: The ARN of the KMS key that encrypts it, or None where it is in clear.
    """

    content: bytes
    origin: str
    kms_key: str | None = None

    def __repr__(self) -> str:
        """Say where the keyset came from and nothing of what is in it."""
        return f"StoredKeyset({self.origin})"


class Keyset:
    """An opened keyset: encrypts under its primary key, decrypts under any of its keys.

    *Guarantees*: key bytes appear in no ``repr``, and the object refuses to be pickled, so it cannot slip into a job
    graph, a checkpoint or another process. Thread-safe.

    Args:
        handle: Tink's handle, holding AES-SIV keys only.

    Attributes:
        primary_key_id: The key that masks.
        key_ids: The keys that unmask, and name themselves in what they encrypt.
        has_raw_keys: Whether there are keys that read what names no key.
        history: The ids of all its keys, disabled and destroyed ones, too, in the order in which they were added.
    """

    def __init__(self, handle: tink.KeysetHandle) -> None:
        info = handle.keyset_info()
        enabled = [key for key in info.key_info if key.status == tink_pb2.ENABLED]
        self.primary_key_id: int = info.primary_key_id
        self.key_ids: frozenset[int] = frozenset(
            key.key_id for key in enabled if key.output_prefix_type == tink_pb2.TINK
        )
        self.has_raw_keys: bool = any(key.output_prefix_type == tink_pb2.RAW for key in enabled)
        self.history: tuple[int, ...] = tuple(key.key_id for key in info.key_info)
        self._states = {key.key_id: key.status for key in info.key_info}
        self._handle = handle
        self._cipher = handle.primitive(daead.DeterministicAead)

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Encrypt deterministically under the primary key, in Tink's wire format."""
        ciphertext: bytes = self._cipher.encrypt_deterministically(plaintext, associated_data)
        return ciphertext

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Decrypt what any of the keys encrypted.

        Raises:
            tink.TinkError: No key fits, the ciphertext was altered, or the associated data is another.
        """
        return bytes(self._cipher.decrypt_deterministically(ciphertext, associated_data))

    def each_alone(self) -> list[Keyset]:
        """Return a keyset for each enabled key, with that key alone as its primary: for what any of them encrypted.

        This keyset's primary comes first. A key that was made elsewhere (`has_raw_keys`) encrypts as plain AES-SIV
        does, without a prefix that names it.
        """
        stored = tink_pb2.Keyset.FromString(proto_keyset_format.serialize(self._handle, secret_key_access.TOKEN))
        keysets = []
        for key in sorted(stored.key, key=lambda key: key.key_id != stored.primary_key_id):
            if key.status == tink_pb2.ENABLED:
                alone = tink_pb2.Keyset(primary_key_id=key.key_id, key=[key]).SerializeToString()
                keysets.append(Keyset(proto_keyset_format.parse(alone, secret_key_access.TOKEN)))
        return keysets

    def unavailable_reason(self, key_id: int) -> str:
        """Return why a key does not unmask here, to be read after the keyset's name: ``"has disabled it"``.

        Args:
            key_id: The id of a key that is not among `key_ids`.
        """
        return {
            tink_pb2.DISABLED: "has disabled it",
            tink_pb2.DESTROYED: "has destroyed it",
        }.get(self._states.get(key_id), "does not hold it")

    def __repr__(self) -> str:
        """Name the keys by id."""
        return f"Keyset(primary key id {self.primary_key_id}, {len(self.key_ids)} keys)"

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("an opened keyset stays in this process; pass the StoredKeyset or its URI on instead")


def new_keyset_handle() -> tink.KeysetHandle:
    """Make a new keyset with one AES256_SIV key, the primary."""
    return tink.new_keyset_handle(daead.deterministic_aead_key_templates.AES256_SIV)


def create_keyset() -> bytes:
    """Make a new keyset with one AES256_SIV key, the primary, as Tink's JSON in clear."""
    return serialize_keyset(new_keyset_handle())


def open_keyset(stored: StoredKeyset, open_kms_key: OpenKmsKey = open_kms_key) -> Keyset:
    """Open a stored keyset and try its primary key. One that a KMS key encrypts is unwrapped in this process's memory.

    Args:
        stored: The keyset as its provider gave it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Raises:
        KeysetError: It is not a Tink keyset, holds a key that does not encrypt deterministically or a primary key that
            does not put its id into what it encrypts, its primary key does not give back what it encrypted, or the KMS
            key may not be used.
        KeysetUnavailableError: KMS did not answer.
    """
    handle = keyset_handle(stored, open_kms_key)
    try:
        keyset = Keyset(handle)
        if keyset.decrypt(keyset.encrypt(b"maskline", b"self-test"), b"self-test") != b"maskline":
            raise KeysetError(f"keyset {stored.origin}: its primary key does not give back what it encrypted")
    except tink.TinkError:
        raise KeysetError(f"keyset {stored.origin}: one of its keys cannot be used; is it complete?") from None
    return keyset


def keyset_handle(stored: StoredKeyset, open_kms_key: OpenKmsKey = open_kms_key) -> tink.KeysetHandle:
    """Return Tink's handle of a stored keyset whose keys are all fit for masking.

    Args:
        stored: The keyset as its provider gave it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Raises:
        KeysetError: As `open_keyset`, but for the trial of the primary key.
        KeysetUnavailableError: KMS did not answer.
    """
    handle = parse_keyset(stored, open_kms_key)
    check_keys(handle.keyset_info(), stored.origin)
    return handle


def parse_keyset(stored: StoredKeyset, open_kms_key: OpenKmsKey = open_kms_key) -> tink.KeysetHandle:
    """Return Tink's handle of a stored keyset, whatever its keys are for.

    Args:
        stored: The keyset as its provider gave it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Raises:
        KeysetError: It is not a Tink keyset, or the KMS key may not be used.
        KeysetUnavailableError: KMS did not answer.
    """
    kms_key = open_kms_key(stored.kms_key) if stored.kms_key else None
    try:
        return _parsed(stored, kms_key)
    except (tink.TinkError, UnicodeDecodeError):
        # Tink's message may quote from the file, so it is not passed on.
        raise _why_not_parsed(stored) from None


def serialize_keyset(handle: tink.KeysetHandle, kms_key: KmsKey | None = None, origin: str = "") -> bytes:
    """Return a keyset in Tink's JSON.

    Args:
        handle: The keyset.
        kms_key: What encrypts it, or None for a keyset in clear.
        origin: Where it will be kept, for errors.

    Raises:
        KeysetError: The KMS key may not be used.
        KeysetUnavailableError: KMS did not answer.
    """
    if kms_key is None:
        in_clear: str = json_proto_keyset_format.serialize(handle, secret_key_access.TOKEN)
        return in_clear.encode()
    with map_kms_errors(origin):
        encrypted: str = json_proto_keyset_format.serialize_encrypted(handle, kms_key, KEYSET_PURPOSE)
    return encrypted.encode()


def _parsed(stored: StoredKeyset, kms_key: KmsKey | None) -> tink.KeysetHandle:
    if kms_key is None:
        return json_proto_keyset_format.parse(stored.content.decode(), secret_key_access.TOKEN)
    try:
        return _decrypted(stored, kms_key, KEYSET_PURPOSE)
    except (NotDecryptedError, tink.TinkError) as with_purpose:
        try:
            handle = _decrypted(stored, kms_key, b"")
        except (KeysetError, KeysetUnavailableError):
            raise with_purpose from None
    logger.warning(
        "keyset %s: was encrypted by an earlier version, bound to no purpose; the next change of it, or keys wrap, "
        "binds it",
        stored.origin,
    )
    return handle


def _decrypted(stored: StoredKeyset, kms_key: KmsKey, purpose: bytes) -> tink.KeysetHandle:
    with map_kms_errors(stored.origin):
        return json_proto_keyset_format.parse_encrypted(stored.content.decode(), kms_key, purpose)


def _why_not_parsed(stored: StoredKeyset) -> KeysetError:
    is_encrypted = _ENCRYPTED_FIELD in stored.content
    if is_encrypted and stored.kms_key is None:
        return KeysetError(
            f"keyset {stored.origin}: is encrypted; give aws-kms://KEY_ARN?keyset=URI, which says what decrypts it"
        )
    if not is_encrypted and stored.kms_key is not None and b'"primaryKeyId"' in stored.content:
        return KeysetError(f"keyset {stored.origin}: is not encrypted", remedy=Remedy.WRAP_KEYSET)
    try:
        keyset = JsonKeysetReader(stored.content.decode()).read()
    except (tink.TinkError, UnicodeDecodeError):
        return KeysetError(f"keyset {stored.origin}: {NOT_A_KEYSET}")
    return KeysetError(f"keyset {stored.origin}: {NOT_SOUND if keyset.key else NOT_A_KEYSET}")


def check_keys(info: tink_pb2.KeysetInfo, origin: str) -> None:
    """Check that the keys of a keyset are fit for masking.

    Args:
        info: What Tink tells of the keyset.
        origin: Where it came from, for the error.

    Raises:
        KeysetError: A key is of another kind, or its tokens would not name it.
    """
    for key in info.key_info:
        if key.status == tink_pb2.DESTROYED:
            continue
        if key.type_url == HMAC_PRF_TYPE:
            raise KeysetError(
                f"keyset {origin}: is one of hashes (key {key.key_id} is an HmacPrfKey), which neither masks nor "
                "rotates; masking takes a keyset with AES256_SIV keys"
            )
        if key.type_url != AES_SIV_TYPE:
            found = key.type_url.rpartition(".")[2]
            raise KeysetError(
                f"keyset {origin}: key {key.key_id} is a {found}; masking needs AES256_SIV keys",
                remedy=Remedy.CREATE_KEYSET,
            )
        is_raw_reader = key.output_prefix_type == tink_pb2.RAW and key.key_id != info.primary_key_id
        if key.output_prefix_type != tink_pb2.TINK and not is_raw_reader:
            raise KeysetError(
                f"keyset {origin}: key {key.key_id} has no prefix of type TINK, so its tokens would not name "
                "the key that made them"
            )
