"""KMS keys that encrypt keysets.

The KMS key never leaves KMS: an encrypted keyset goes there, and comes back in clear into this process's memory, for
whoever has the permission ``kms:Decrypt``. A keyset is bound to its purpose by associated data, which AWS KMS calls the
encryption context: a policy may demand it, and so give out this key for keysets of maskline and nothing else.

Source: https://docs.aws.amazon.com/kms/latest/developerguide/encrypt_context.html
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import tink
from botocore.exceptions import BotoCoreError, ClientError
from tink import aead

from maskline.aws import AwsError, OpenClient, error_code, is_access_denied, open_client, setup_problem
from maskline.errors import ArgumentError, KeysetError, KeysetUnavailableError
from maskline.watchdog import WATCHDOG

KmsKey: TypeAlias = aead.Aead
"""What encrypts and decrypts a keyset."""

OpenKmsKey = Callable[[str], KmsKey]
"""Gives access to a KMS key by its ARN."""

KEYSET_PURPOSE = b"maskline.keyset"
"""The associated data that keysets are encrypted with."""

_KEY_ARN = re.compile(r"arn:aws(-[a-z]+)*:kms:(?P<region>[a-z0-9-]+):[0-9]{12}:(key|alias)/[A-Za-z0-9/_-]+")
_NO_SUCH_KEY = {"NotFoundException", "DisabledException", "KMSInvalidStateException", "InvalidKeyUsageException"}
_NOT_TAKEN = "ValidationException"
_NOT_OF_THIS_KEY = {"InvalidCiphertextException", "IncorrectKeyException"}


class NotDecryptedError(KeysetError):
    """A KMS key decrypts, and not this: another key or another purpose encrypted it, or it was damaged."""


class _AwsKmsKey(aead.Aead):
    """What Tink's own integration does, in every partition of AWS; Tink's knows that of arn:aws: alone."""

    def __init__(self, client: Any, key_arn: str) -> None:
        self._client = client
        self._key_arn = key_arn

    def encrypt(self, plaintext: bytes, associated_data: bytes) -> bytes:
        try:
            answer = self._client.encrypt(
                KeyId=self._key_arn, Plaintext=plaintext, EncryptionContext=_encryption_context(associated_data)
            )
        except ClientError as error:
            raise tink.TinkError(error) from None
        return bytes(answer["CiphertextBlob"])

    def decrypt(self, ciphertext: bytes, associated_data: bytes) -> bytes:
        try:
            answer = self._client.decrypt(
                KeyId=self._key_arn, CiphertextBlob=ciphertext, EncryptionContext=_encryption_context(associated_data)
            )
        except ClientError as error:
            raise tink.TinkError(error) from None
        return bytes(answer["Plaintext"])


def _encryption_context(associated_data: bytes) -> dict[str, str]:
    """Return the context that Tink makes of associated data, in every language, so that any Tink opens the keyset."""
    return {"associatedData": associated_data.hex()} if associated_data else {}


def check_key_arn(key_arn: str) -> str:
    """Check the ARN of a KMS key and return it.

    Args:
        key_arn: ``arn:aws:kms:REGION:ACCOUNT:key/ID``, or of another partition: ``arn:aws-cn:…``, ``arn:aws-us-gov:…``.

    Raises:
        ArgumentError: `key_arn` is not the ARN of a KMS key.
    """
    if not _KEY_ARN.fullmatch(key_arn):
        raise ArgumentError("keyset aws-kms: give the key's ARN, arn:aws:kms:REGION:ACCOUNT:key/ID, after aws-kms://")
    return key_arn


def aws_kms_key(key_arn: str, open_client: OpenClient = open_client) -> KmsKey:
    """Return access to a key of AWS KMS.

    Args:
        key_arn: Its ARN, which names its region, too.
        open_client: Makes the client.

    Raises:
        ArgumentError: It is no ARN of a key.
        KeysetError: AWS's configuration cannot be read.
    """
    match = _KEY_ARN.fullmatch(check_key_arn(key_arn))
    assert match is not None, "just checked"
    try:
        client = open_client("kms", match["region"])
    except BotoCoreError as error:
        raise _map_error(error, f"aws-kms://{key_arn}") from None
    return _AwsKmsKey(client, key_arn)


@contextlib.contextmanager
def map_kms_errors(origin: str) -> Iterator[None]:
    """Turn what KMS answers into our errors, and leave Tink's own as they are.

    Args:
        origin: The URI of the keyset.

    Raises:
        KeysetError: The key may not be used, is not there, or did not encrypt this keyset.
        KeysetUnavailableError: KMS did not answer.
    """
    try:
        with WATCHDOG.watching(f"keyset {origin}: an answer of KMS"):
            yield
    except BotoCoreError as error:
        raise _map_error(error, origin) from None
    except tink.TinkError as error:
        # Tink wraps botocore's error in its own.
        cause = error.args[0] if error.args else None
        if not isinstance(cause, ClientError):
            raise
        raise _map_error(cause, origin) from None


def _map_error(error: AwsError, origin: str) -> KeysetError | KeysetUnavailableError:
    code = error_code(error)
    problem = setup_problem(error)
    if problem:
        return KeysetError(f"keyset {origin}: {problem}")
    if is_access_denied(error):
        return KeysetError(
            f"keyset {origin}: KMS refuses these credentials ({code}); reading it needs kms:Decrypt, and changing it "
            "kms:Encrypt, on the key"
        )
    if code in _NO_SUCH_KEY:
        return KeysetError(f"keyset {origin}: there is no such KMS key, or it is not enabled ({code})")
    if code in _NOT_OF_THIS_KEY:
        return NotDecryptedError(f"keyset {origin}: was not encrypted by this KMS key, or was damaged ({code})")
    if code == _NOT_TAKEN:
        return KeysetError(
            f"keyset {origin}: KMS does not take it ({code}); it encrypts up to 4096 bytes, which is a keyset of some "
            "30 keys"
        )
    return KeysetUnavailableError(f"keyset {origin}: KMS did not answer as it should ({code}); try again")
