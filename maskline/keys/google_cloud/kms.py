"""Keys of Google Cloud KMS that encrypt keysets.

Source: https://cloud.google.com/kms/docs/reference/rest/v1/projects.locations.keyRings.cryptoKeys/encrypt,
https://cloud.google.com/kms/docs/additional-authenticated-data
"""

from __future__ import annotations

import re
from typing import Any

from tink import aead

from maskline.errors import ArgumentError, KeysetError
from maskline.keys.google_cloud.api import GoogleApi, GoogleError, OpenSession, checksum_of, encoded, open_session
from maskline.keys.kms import NotDecryptedError

_KEY = re.compile(r"projects/[a-z0-9.:-]+/locations/[a-z0-9-]+/keyRings/[\w-]{1,63}/cryptoKeys/[\w-]{1,63}", re.ASCII)
_PERMISSIONS = (
    "cloudkms.cryptoKeyVersions.useToDecrypt on the key to read it (roles/cloudkms.cryptoKeyDecrypter), and "
    "useToEncrypt to change it (roles/cloudkms.cryptoKeyEncrypter)"
)


class GoogleKmsKey(aead.Aead):
    """A symmetric key of Google Cloud KMS. What it encrypts, Tink's own integration of it decrypts, and vice versa.

    *Guarantee*: bytes that were damaged on their way, there or back, are not taken: each carries its CRC32C.

    Args:
        location: ``//projects/P/locations/L/keyRings/R/cryptoKeys/K``.
        open_session: Makes the session.

    Raises:
        ArgumentError: `location` is not the name of a key.
    """

    def __init__(self, location: str, open_session: OpenSession = open_session) -> None:
        self._name = location.removeprefix("//")
        if not _KEY.fullmatch(self._name):
            raise ArgumentError(
                "keyset gcp-kms: give the key's name, projects/P/locations/L/keyRings/R/cryptoKeys/K, after gcp-kms://"
            )
        self.uri = f"gcp-kms://{self._name}"
        self._api = GoogleApi(self.uri, "cloudkms", _PERMISSIONS, open_session=open_session)

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        """Encrypt a keyset.

        Raises:
            KeysetError: The key may not be used, or is not there.
            KeysetUnavailableError: KMS did not answer as it should.
        """
        with self._api.mapping_errors():
            not_taken = KeysetError(
                f"keyset {self.uri}: KMS does not take it (INVALID_ARGUMENT); it encrypts up to 64 KiB, or 8 KiB by a "
                "key of an HSM"
            )
            answer = self._call("encrypt", not_taken, plaintext=plaintext, additionalAuthenticatedData=associated_data)
            if not answer.get("verifiedPlaintextCrc32c"):
                raise self._api.unavailable("it did not check the CRC32C of what it was sent")
            if associated_data and not answer.get("verifiedAdditionalAuthenticatedDataCrc32c"):
                raise self._api.unavailable("it did not check the CRC32C of the purpose")
            return self._api.checked(answer.get("ciphertext", ""), answer.get("ciphertextCrc32c"))

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        """Decrypt a keyset.

        Raises:
            NotDecryptedError: KMS does not, for another key or another purpose encrypted it.
            KeysetError: The key may not be used, or is not there.
            KeysetUnavailableError: KMS did not answer as it should.
        """
        with self._api.mapping_errors():
            not_decrypted = NotDecryptedError(
                f"keyset {self.uri}: was not encrypted by this KMS key, or was damaged (INVALID_ARGUMENT)"
            )
            answer = self._call(
                "decrypt", not_decrypted, ciphertext=ciphertext, additionalAuthenticatedData=associated_data
            )
            return self._api.checked(answer.get("plaintext", ""), answer.get("plaintextCrc32c"))

    def _call(self, action: str, if_invalid: KeysetError, **fields: bytes) -> dict[str, Any]:
        """Call an action of the key, and raise `if_invalid` where KMS finds the request invalid."""
        body = {name: encoded(content) for name, content in fields.items() if content}
        checksums = {f"{name}Crc32c": checksum_of(content) for name, content in fields.items() if content}
        try:
            return self._api.call("POST", f"{self._name}:{action}", {**body, **checksums})
        except GoogleError as error:
            if error.status == "INVALID_ARGUMENT":
                raise if_invalid from None
            if error.status in ("NOT_FOUND", "FAILED_PRECONDITION"):
                raise KeysetError(
                    f"keyset {self.uri}: there is no such KMS key for encryption, or its version is disabled or "
                    f"destroyed ({error.status})"
                ) from None
            raise
