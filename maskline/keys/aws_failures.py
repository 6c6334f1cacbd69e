"""What a failed call to the AWS service that keeps a keyset means."""

from __future__ import annotations

from maskline.aws import AwsError, error_code, is_access_denied, setup_problem
from maskline.errors import KeysetError, KeysetUnavailableError, Remedy
from maskline.keys.conflicts import ALREADY_EXISTS

_NOT_THERE = {"ResourceNotFoundException", "NoSuchKey"}
_NOT_A_NAME = {"InvalidBucketName", "ParamValidationError"}
_EXISTS = {"ResourceExistsException", "PreconditionFailed", "ConditionalRequestConflict"}
_UNUSABLE = {"InvalidRequestException", "ValidationException", "InvalidParameterException", "DecryptionFailure"}


def map_keyset_error(
    error: AwsError, uri: str, *, service: str, permissions: str
) -> KeysetError | KeysetUnavailableError:
    """Return what a failed call means.

    Args:
        error: What botocore raised after its own retries.
        uri: The URI of the keyset.
        service: The service's name.
        permissions: The permissions that reading and changing the keyset take.

    Returns:
        A `KeysetError` where only a person can fix it, else a `KeysetUnavailableError`.
    """
    code = error_code(error)
    problem = setup_problem(error)
    if problem:
        return KeysetError(f"keyset {uri}: {problem}")
    if is_access_denied(error):
        return KeysetError(f"keyset {uri}: {service} refuses these credentials ({code}); it takes {permissions}")
    if code in _NOT_THERE:
        return KeysetError(f"keyset {uri}: is not there ({code})", remedy=Remedy.CREATE_KEYSET)
    if code == "NoSuchBucket":
        return KeysetError(f"keyset {uri}: its bucket is not there ({code})")
    if code in _NOT_A_NAME:
        return KeysetError(f"keyset {uri}: is not a name that {service} takes ({code})")
    if code in _EXISTS:
        return KeysetError(f"keyset {uri}: {ALREADY_EXISTS}")
    if code in _UNUSABLE:
        return KeysetError(f"keyset {uri}: {service} does not give it out ({code}); was it deleted, or its key?")
    return KeysetUnavailableError(f"keyset {uri}: {service} did not answer as it should ({code}); try again")
