"""What the service that keeps a keyset answers is one line: what only a person can fix, or worth another try."""

from __future__ import annotations

import pytest
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError, ReadTimeoutError

from maskline.errors import KeysetError, KeysetUnavailableError
from maskline.keys.aws_failures import map_keyset_error

KEPT = "exists already and is not overwritten; without it nothing it masked could be recovered"


def line_of(error: BotoCoreError | ClientError) -> str:
    """Return the line of an error, once it is sure what kind it is."""
    failure = map_keyset_error(error, "s3://bucket/keyset.json", service="S3", permissions="s3:GetObject")
    assert isinstance(failure, KeysetUnavailableError) is str(failure).endswith("; try again")
    assert isinstance(failure, KeysetError) is not isinstance(failure, KeysetUnavailableError)
    assert "hidden" not in str(failure)
    return str(failure).removeprefix("keyset s3://bucket/keyset.json: ")


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("AccessDenied", "S3 refuses these credentials (AccessDenied); it takes s3:GetObject"),
        ("403", "S3 refuses these credentials (403); it takes s3:GetObject"),
        ("NoSuchKey", "is not there (NoSuchKey)"),
        ("ResourceNotFoundException", "is not there (ResourceNotFoundException)"),
        ("NoSuchBucket", "its bucket is not there (NoSuchBucket)"),
        ("InvalidBucketName", "is not a name that S3 takes (InvalidBucketName)"),
        ("ResourceExistsException", KEPT),
        ("PreconditionFailed", KEPT),
        ("ConditionalRequestConflict", KEPT),
        ("InvalidRequestException", "S3 does not give it out (InvalidRequestException); was it deleted, or its key?"),
        ("DecryptionFailure", "S3 does not give it out (DecryptionFailure); was it deleted, or its key?"),
        ("InternalError", "S3 did not answer as it should (InternalError); try again"),
        ("SlowDown", "S3 did not answer as it should (SlowDown); try again"),
        ("ThrottlingException", "S3 did not answer as it should (ThrottlingException); try again"),
    ],
)
def test_every_answer_has_its_line_which_repeats_nothing_of_it_but_its_code(code: str, line: str) -> None:
    error = ClientError({"Error": {"Code": code, "Message": "hidden"}}, "GetObject")

    assert line_of(error) == line


def test_no_answer_is_worth_another_try_and_a_wrong_set_up_is_not() -> None:
    assert line_of(ReadTimeoutError(endpoint_url="https://hidden")) == (
        "S3 did not answer as it should (ReadTimeoutError); try again"
    )
    assert line_of(NoRegionError()) == "no AWS region; set AWS_REGION"
