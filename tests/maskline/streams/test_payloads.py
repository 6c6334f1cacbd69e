"""An object in S3 is had whole, or its message is rejected, or the job waits; it is never guessed which."""

from __future__ import annotations

import io
from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    EndpointResolutionError,
    IncompleteReadError,
    ReadTimeoutError,
    UnsupportedS3ArnError,
)

from maskline.errors import MasklineError, PayloadError, PayloadUnavailableError
from maskline.records import MaskedRow, Payload, Reason
from maskline.streams.definition import parse_stream
from maskline.streams.failures import InvalidValueError
from maskline.streams.masking import MessageMasker
from maskline.streams.payloads import S3Payloads
from tests.aws_emulation import EmulatedAws
from tests.maskline.keysets import opened
from tests.maskline.logins import message
from tests.maskline.streams.shapes import packed, pointer, row_of


class FailingS3:
    """A client of which every call fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_object(self, **_: str) -> dict[str, Any]:
        raise self._error


class BreakingBody(io.RawIOBase):
    """An answer that ends in the middle."""

    def read(self, size: int = -1) -> bytes:
        raise ReadTimeoutError(endpoint_url="s3")


class BreakingS3:
    """A client whose answers begin and break off."""

    def get_object(self, **_: str) -> dict[str, Any]:
        return {"Body": BreakingBody()}


def fetched(client: Any, max_bytes: int = 100) -> bytes:
    """Return what is fetched with a client."""
    return S3Payloads(lambda service, region: client).fetch(Payload("big", "0f1a"), max_bytes)


def answer(code: str, status: int = 0) -> ClientError:
    """Return the error of an answer."""
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


def test_an_object_is_fetched_up_to_the_bound(aws: EmulatedAws) -> None:
    bucket, client = aws.create_bucket(), aws.client("s3")
    client.put_object(Bucket=bucket, Key="a b/é", Body=b"x" * 100)

    assert S3Payloads().fetch(Payload(bucket, "a b/é"), 100) == b"x" * 100
    with pytest.raises(InvalidValueError) as refusal:
        S3Payloads().fetch(Payload(bucket, "a b/é"), 99)
    assert refusal.value.reason is Reason.TOO_LARGE


def test_an_object_or_a_bucket_that_is_gone_rejects_the_message(aws: EmulatedAws) -> None:
    for payload in (Payload(aws.create_bucket(), "0f1a"), Payload("no-such-bucket", "0f1a"), Payload("?", "0f1a")):
        with pytest.raises(InvalidValueError) as refusal:
            S3Payloads().fetch(payload, 100)
        assert refusal.value.reason is Reason.PAYLOAD_GONE


def test_an_object_that_is_not_given_out_rejects_the_message_and_says_what_it_takes() -> None:
    with pytest.raises(InvalidValueError) as refusal:
        fetched(FailingS3(answer("AccessDenied")))

    assert refusal.value.reason is Reason.PAYLOAD_DENIED
    assert refusal.value.detail == (
        "S3 does not give out the object that it points to (AccessDenied); the job needs s3:GetObject on its bucket, "
        "and s3:ListBucket to tell an object that is gone"
    )


@pytest.mark.parametrize(
    "error",
    [
        answer("InvalidRequest", 400),  # encrypted by a key that only its writer has (SSE-C)
        answer("KMS.DisabledException", 400),
        answer("MethodNotAllowed", 405),
        UnsupportedS3ArnError(arn="arn:aws:s3:::big/0f1a"),
        EndpointResolutionError(msg="Invalid ARN"),
    ],
)
def test_an_object_that_can_never_be_had_rejects_its_message_and_stops_no_job(error: Exception) -> None:
    with pytest.raises(InvalidValueError) as refusal:
        fetched(FailingS3(error))

    assert refusal.value.reason is Reason.PAYLOAD_DENIED
    assert refusal.value.detail.startswith("S3 does not give out the object that it points to (")


@pytest.mark.parametrize(
    "error",
    [
        *(answer("RequestTimeout", 400), answer("KMS.ThrottlingException", 400), answer("SlowDown", 429)),
        *(answer("AccountProblem", 403), answer("InternalError", 500), answer("SlowDown", 503)),
        *(IncompleteReadError(actual_bytes=1, expected_bytes=2), EndpointConnectionError(endpoint_url="s3")),
    ],
)
def test_an_answer_that_may_be_another_next_time_is_asked_for_again(error: Exception) -> None:
    with pytest.raises(PayloadUnavailableError):
        fetched(FailingS3(error))


@pytest.mark.parametrize(
    ("client", "error", "text"),
    [
        (
            FailingS3(answer("SlowDown")),
            PayloadUnavailableError,
            "s3: did not give out an object that a message points to (SlowDown); try again",
        ),
        (
            BreakingS3(),
            PayloadUnavailableError,
            "s3: did not give out an object that a message points to (ReadTimeoutError); try again",
        ),
        (FailingS3(answer("ExpiredToken")), PayloadError, "s3: refuses these credentials (ExpiredToken)"),
        (
            FailingS3(answer("RequestTimeTooSkewed")),
            PayloadError,
            "s3: AWS refuses the time of the request (RequestTimeTooSkewed); set this machine's clock",
        ),
    ],
)
def test_what_is_not_the_messages_fault_is_never_its_rejection(
    client: Any, error: type[MasklineError], text: str
) -> None:
    stream = parse_stream(packed('envelope = ["s3-pointer"]'), "test")
    masker = MessageMasker(stream, opened(7), S3Payloads(lambda service, region: client))

    with pytest.raises(error) as raised:
        masker.mask(message(pointer("0f1a")))

    assert str(raised.value) == text


def test_a_message_points_to_its_object_and_becomes_a_row(aws: EmulatedAws) -> None:
    bucket = aws.create_bucket()
    aws.client("s3").put_object(Bucket=bucket, Key="0f1a", Body=b'{"user_id":"u1","ip":"203.0.113.1","locale":"RU"}')
    stream = parse_stream(packed('envelope = ["s3-pointer"]'), "test")

    row = MessageMasker(stream, opened(7)).mask(message(pointer("0f1a").replace("big", bucket)))

    assert isinstance(row, MaskedRow)
    assert row.values == row_of(1)
