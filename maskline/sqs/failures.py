"""What a failed SQS call means: stop with a clear line, back off, or try again later.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from maskline.errors import MasklineError, QueueError, QueueUnavailableError
from maskline.sqs.address import QueueAddress

_NO_SUCH_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
_NOT_ALLOWED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecurity",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_CLOCK_IS_WRONG = {"RequestExpired", "RequestTimeTooSkewed"}
_SIGNED_AT_A_WRONG_TIME = ("Signature expired", "Signature not yet current")
_OVER_LIMIT = {"OverLimit", "AWS.SimpleQueueService.OverLimit"}
_CREDENTIALS_MISSING = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)


class OverLimitError(QueueUnavailableError):
    """The queue has as many messages in flight as it may (120,000); receives wait until some are deleted."""


def translated(error: BotoCoreError | ClientError, address: QueueAddress) -> MasklineError:
    """Return what a failed call means to the job.

    Args:
        error: What botocore raised after its own retries.
        address: The queue that was called.

    Returns:
        A `QueueError` where only a person can mend it; an `OverLimitError` where the queue's in-flight limit is
        reached; else a `QueueUnavailableError`, after which the call may be tried again.
    """
    if isinstance(error, _CREDENTIALS_MISSING):
        return QueueError(
            f"queue {address}: no AWS credentials ({error}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
            "AWS_PROFILE, or run where a role gives them"
        )
    if isinstance(error, NoRegionError):
        return QueueError(f"queue {address}: no AWS region; give the queue's URL or set AWS_DEFAULT_REGION")
    if isinstance(error, ConfigNotFound | ConfigParseError):
        return QueueError(f"queue {address}: AWS's configuration file cannot be read; see AWS_CONFIG_FILE")
    if not isinstance(error, ClientError):
        return QueueUnavailableError(f"queue {address}: SQS did not answer ({type(error).__name__})")
    code = error.response.get("Error", {}).get("Code", "unknown")
    if code in _NO_SUCH_QUEUE or code.endswith(("NonExistentQueue", "QueueDoesNotExist")):
        return QueueError(f"queue {address}: does not exist; check its name, region and account ({code})")
    text = error.response.get("Error", {}).get("Message", "")
    if code in _CLOCK_IS_WRONG or text.startswith(_SIGNED_AT_A_WRONG_TIME):
        return QueueError(f"queue {address}: SQS refuses the time of the request ({code}); set this machine's clock")
    is_key_refused = code.upper().startswith("KMS") and "Throttl" not in code
    if code in _NOT_ALLOWED or is_key_refused:
        return QueueError(
            f"queue {address}: SQS refuses these credentials ({code}); the job needs sqs:ReceiveMessage, "
            "sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:GetQueueAttributes and sqs:GetQueueUrl, and on an "
            "encrypted queue the use of its key"
        )
    if code in _OVER_LIMIT:
        return OverLimitError(f"queue {address}: too many messages in flight ({code})")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", "no status")
    return QueueUnavailableError(f"queue {address}: SQS answered {code} (HTTP {status})")
