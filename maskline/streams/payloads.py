"""Objects in S3 that messages point to, as the SQS Extended Client Library leaves large ones there.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-s3-messages.html and
https://github.com/awslabs/payload-offloading-java-common-lib-for-aws
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any, Protocol

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointProviderError,
    InvalidDNSNameError,
    InvalidHostLabelError,
    UnsupportedOutpostResourceError,
    UnsupportedS3AccesspointConfigurationError,
    UnsupportedS3ArnError,
)

from maskline.aws import AwsError, OpenClient, error_code, http_status, is_access_denied, open_client, setup_problem
from maskline.errors import MasklineError, PayloadError, PayloadUnavailableError
from maskline.records import Payload, Reason
from maskline.streams.failures import InvalidValueError

POINTER_CLASSES = (
    "software.amazon.payloadoffloading.PayloadS3Pointer",
    "com.amazon.sqs.javamessaging.MessageS3Pointer",
)
"""The names under which the library's versions write a pointer: ``[CLASS, {"s3BucketName": …, "s3Key": …}]``."""

_GONE = frozenset({"NoSuchKey", "NoSuchBucket", "NoSuchVersion", "404", "InvalidBucketName", "ParamValidationError"})
_DENIED = frozenset({"AccessDenied", "AllAccessDisabled", "InvalidObjectState", "403"})
_FINAL_STATUSES = frozenset(range(400, 500)) - {403, 408, 429}
"""Those of a client's errors that the same request gets again: 403 may be the account's, 408 and 429 pass."""

_PASSING_CODE = re.compile("RequestTimeout|SlowDown|Throttl|TooManyRequests")
"""Codes that S3 sends with status 400 and that pass, too."""

_ABOUT_BUCKET = (
    EndpointProviderError,  # whose rules do not know the ARN
    InvalidDNSNameError,
    InvalidHostLabelError,
    UnsupportedOutpostResourceError,
    UnsupportedS3AccesspointConfigurationError,
    UnsupportedS3ArnError,
)
"""What botocore raises for a bucket that it cannot call, an ARN say, without asking S3."""

_MAX_DELETED_TOGETHER = 1_000
"""The most objects of one DeleteObjects request.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html
"""

logger = logging.getLogger(__name__)


class PayloadStore(Protocol):
    """Gives out the objects that messages point to."""

    def fetch(self, payload: Payload, max_bytes: int) -> bytes:
        """Return an object's content.

        Args:
            payload: Which object.
            max_bytes: The most that it may hold.

        Raises:
            InvalidValueError: It is gone, larger, or not to be had with these credentials: the message is rejected.
            PayloadUnavailableError: The store did not answer as it should; another try may help.
            PayloadError: The store cannot be used at all.
        """


class S3Payloads:
    """The objects of S3, read and deleted with this process's credentials.

    Args:
        open_client: Makes the client, when the first object is fetched.
    """

    def __init__(self, open_client: OpenClient = open_client) -> None:
        self._open_client = open_client
        self._client: Any = None

    def fetch(self, payload: Payload, max_bytes: int) -> bytes:
        """Return an object's content; see `PayloadStore.fetch`."""
        try:
            answer = self._opened_client().get_object(Bucket=payload.bucket, Key=payload.key)
            content: bytes = answer["Body"].read(max_bytes + 1)
        except (BotoCoreError, ClientError) as error:
            raise _mapped(error) from None
        if len(content) > max_bytes:
            raise InvalidValueError(Reason.TOO_LARGE, f"the object in S3 holds more than {max_bytes:,} bytes")
        return content

    def delete(self, payloads: Sequence[Payload]) -> int:
        """Delete objects whose messages are deleted, and log what S3 refuses: by then nothing can be taken back.

        Args:
            payloads: The objects, any number, of any buckets.

        Returns:
            How many were not deleted.
        """
        keys: dict[str, list[str]] = {}
        for payload in payloads:
            keys.setdefault(payload.bucket, []).append(payload.key)
        return sum(
            self._delete_together(bucket, in_bucket[start : start + _MAX_DELETED_TOGETHER])
            for bucket, in_bucket in keys.items()
            for start in range(0, len(in_bucket), _MAX_DELETED_TOGETHER)
        )

    def _delete_together(self, bucket: str, keys: Sequence[str]) -> int:
        objects = [{"Key": key} for key in keys]
        try:
            answer = self._opened_client().delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        except (BotoCoreError, ClientError) as error:
            codes, refused = [error_code(error)], len(keys)
        else:
            errors = answer.get("Errors", [])
            codes, refused = sorted({str(each.get("Code")) for each in errors}), len(errors)
        if refused:
            logger.warning(
                "%d of %d objects in S3 not deleted, whose messages are: %s; delete them by hand, or by a life cycle "
                "of the bucket; the job needs s3:DeleteObject there",
                refused,
                len(keys),
                ", ".join(codes),
            )
        return refused

    def _opened_client(self) -> Any:
        if self._client is None:
            self._client = self._open_client("s3", None)
        return self._client


def _is_about_object(error: AwsError) -> bool:
    """Say whether this very object cannot be had, now or later; the sender of its message chose bucket and key.

    It may be encrypted by a key that is disabled, or that only its writer has, or be named by an ARN of nobody's.
    """
    if isinstance(error, ClientError):
        return http_status(error) in _FINAL_STATUSES and not _PASSING_CODE.search(error_code(error))
    return isinstance(error, _ABOUT_BUCKET)


def _mapped(error: AwsError) -> InvalidValueError | MasklineError:
    code = error_code(error)
    if code in _GONE:
        return InvalidValueError(Reason.PAYLOAD_GONE, f"the object in S3 that it points to is not there ({code})")
    if code in _DENIED:
        # Without s3:ListBucket, S3 says this of objects that are gone, too; either way it is this message's object.
        return InvalidValueError(
            Reason.PAYLOAD_DENIED,
            f"S3 does not give out the object that it points to ({code}); the job needs s3:GetObject on its bucket, "
            "and s3:ListBucket to tell an object that is gone",
        )
    problem = setup_problem(error)
    if problem:
        return PayloadError(f"s3: {problem}")
    if is_access_denied(error):
        return PayloadError(f"s3: refuses these credentials ({code})")
    if _is_about_object(error):
        # Tried again it would be the same, and one message would stop the job for ever.
        return InvalidValueError(Reason.PAYLOAD_DENIED, f"S3 does not give out the object that it points to ({code})")
    return PayloadUnavailableError(f"s3: did not give out an object that a message points to ({code}); try again")
