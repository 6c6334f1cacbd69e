"""Whether the KMS key that encrypts a queue (SSE-KMS) can be used: SQS decrypts in the name of whoever receives.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
"""

from __future__ import annotations

import enum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from maskline.aws import OpenClient, error_code, is_access_denied, open_hurried_client

KEY_ATTRIBUTE = "KmsMasterKeyId"
_KEY_OF_SQS = "alias/aws/sqs"
_UNUSABLE = {"NotFoundException", "DisabledException", "KMSInvalidStateException"}
_ALLOWED = "DryRunOperationException"


class KeyAnswer(enum.Enum):
    """The answer of KMS about the use of a queue's key."""

    ALLOWED = enum.auto()
    DENIED = enum.auto()
    UNUSABLE = enum.auto()
    UNKNOWN = enum.auto()
    """It was not asked, cannot be reached from here, or told nothing: SQS may reach it all the same."""


def encryption_key(attributes: dict[str, str]) -> str | None:
    """Return the customer managed key that encrypts a queue, or None if none does.

    Args:
        attributes: The queue's, by SQS's names.
    """
    return customer_managed(attributes.get(KEY_ATTRIBUTE) or None)


def customer_managed(key: str | None) -> str | None:
    """Return the key of a queue, or None for AWS's own, which whoever may use the queue may use.

    Args:
        key: The key's ARN, id or alias, or None.
    """
    return None if key is None or key.endswith(_KEY_OF_SQS) else key


def ask_about_key(key: str, queue_arn: str, open_client: OpenClient = open_hurried_client) -> KeyAnswer:
    """Ask KMS whether these credentials may decrypt with a queue's key. Nothing is decrypted, no message received.

    Args:
        key: The key's ARN, id or alias.
        queue_arn: The queue's, which names the key's region, too, and is what the use of the key is bound to.
        open_client: Makes the client.
    """
    try:
        client: Any = open_client("kms", queue_arn.split(":")[3] or None)
        client.decrypt(
            KeyId=key,
            CiphertextBlob=b"none of this key's",
            EncryptionContext={"aws:sqs:arn": queue_arn},
            DryRun=True,
        )
    except ClientError as error:
        code = error_code(error)
        if code == _ALLOWED:
            return KeyAnswer.ALLOWED
        if code in _UNUSABLE:
            return KeyAnswer.UNUSABLE
        return KeyAnswer.DENIED if is_access_denied(error) else KeyAnswer.UNKNOWN
    except (BotoCoreError, IndexError):
        return KeyAnswer.UNKNOWN
    return KeyAnswer.ALLOWED
