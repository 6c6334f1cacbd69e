"""What a failed SQS call means: stop with a clear line, back off, or try again later.

Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

from botocore.exceptions import ClientError, EndpointConnectionError, NoRegionError, SSLError

from maskline.aws import AwsError, error_code, http_status, is_access_denied, setup_problem
from maskline.errors import MasklineError, QueueError, QueueUnavailableError, Remedy
from maskline.sqs.address import QueueAddress

_NO_SUCH_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
_OVER_LIMIT = {"OverLimit", "AWS.SimpleQueueService.OverLimit"}
_REMEDIES: dict[type[AwsError], Remedy] = {
    SSLError: Remedy.CHECK_TLS,
    EndpointConnectionError: Remedy.CHECK_ENDPOINT,
}
_ABOUT_BODY = {"BatchRequestTooLong", "InvalidMessageContents", "InvalidParameterValue", "MissingParameter"}


class OverLimitError(QueueUnavailableError):
    """The queue has as many messages in flight as it may (120,000); receives wait until some are deleted."""


class BodyRefusedError(QueueUnavailableError):
    """SQS does not take a message because of its body: it is empty, too long, or holds characters that SQS rejects."""


def is_about_body(code: str) -> bool:
    """Return whether SQS rejects a message for its content, so that other messages may well be taken.

    Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html#API_SendMessage_Errors

    Args:
        code: SQS's code.
    """
    return code.rpartition(".")[2] in _ABOUT_BODY


def map_sqs_error(error: AwsError, address: QueueAddress) -> MasklineError:
    """Return what a failed call means to the job.

    Args:
        error: What botocore raised after its own retries.
        address: The queue that was called.

    Returns:
        A `QueueError` where only a person can fix it; an `OverLimitError` where the queue's in-flight limit is
        reached; else a `QueueUnavailableError`, after which the call may be tried again.
    """
    if isinstance(error, NoRegionError):
        return QueueError(f"queue {address}: no AWS region; give the queue's URL or set AWS_REGION")
    problem = setup_problem(error)
    if problem:
        return QueueError(f"queue {address}: {problem}")
    if not isinstance(error, ClientError):
        remedy = next((remedy for kind, remedy in _REMEDIES.items() if isinstance(error, kind)), None)
        return QueueUnavailableError(f"queue {address}: SQS did not answer ({type(error).__name__})", remedy=remedy)
    code = error_code(error)
    if code in _NO_SUCH_QUEUE or code.endswith(("NonExistentQueue", "QueueDoesNotExist")):
        return QueueError(f"queue {address}: does not exist; check its name, region and account ({code})")
    if code.upper().startswith("KMS") and "Throttl" not in code:
        return QueueError(
            f"queue {address}: the KMS key that encrypts it cannot be used ({code}); the job needs kms:Decrypt on that "
            "key, by its own policy and by the key's, and the key has to be enabled"
        )
    if is_access_denied(error):
        return QueueError(
            f"queue {address}: SQS refuses these credentials ({code}); the job needs sqs:ReceiveMessage, "
            "sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:GetQueueAttributes and sqs:GetQueueUrl, and on an "
            "encrypted queue the use of its key"
        )
    if code in _OVER_LIMIT:
        return OverLimitError(f"queue {address}: too many messages in flight ({code})")
    return QueueUnavailableError(f"queue {address}: SQS answered {code} (HTTP {http_status(error)})")
