"""`map_sqs_error`: each failed call ends as stop, back off or try later, in a line that names queue and remedy."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    ReadTimeoutError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from maskline.errors import QueueError, QueueUnavailableError
from maskline.sqs import QueueAddress
from maskline.sqs.failures import OverLimitError, map_sqs_error

ADDRESS = QueueAddress("logins", "http://127.0.0.1:9324")


def answered(code: str, status: int = 400, message: str = "-") -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}, "ReceiveMessage"
    )


@pytest.mark.parametrize(
    "code",
    [
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "com.amazonaws.sqs#QueueDoesNotExist",
        "InvalidAddress",
    ],
)
def test_a_queue_that_does_not_exist_stops_the_job_and_says_what_to_check(code: str) -> None:
    error = map_sqs_error(answered(code), ADDRESS)

    assert type(error) is QueueError
    assert str(error) == (
        f"queue logins at http://127.0.0.1:9324: does not exist; check its name, region and account ({code})"
    )


@pytest.mark.parametrize(
    "code",
    [
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "ExpiredToken",
        "InvalidClientTokenId",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ],
)
def test_refused_credentials_stop_the_job_and_name_every_right_it_needs(code: str) -> None:
    error = map_sqs_error(answered(code, status=403), ADDRESS)

    assert type(error) is QueueError
    assert str(error) == (
        f"queue logins at http://127.0.0.1:9324: SQS refuses these credentials ({code}); the job needs "
        "sqs:ReceiveMessage, sqs:DeleteMessage, sqs:ChangeMessageVisibility, sqs:GetQueueAttributes and "
        "sqs:GetQueueUrl, and on an encrypted queue the use of its key"
    )


@pytest.mark.parametrize("code", ["KMS.AccessDeniedException", "KmsAccessDenied", "KmsDisabled"])
def test_a_key_that_cannot_be_used_stops_the_job_and_names_the_right(code: str) -> None:
    error = map_sqs_error(answered(code, status=400), ADDRESS)

    assert type(error) is QueueError
    assert str(error) == (
        f"queue logins at http://127.0.0.1:9324: the KMS key that encrypts it cannot be used ({code}); the job needs "
        "kms:Decrypt on that key, by its own policy and by the key's, and the key has to be enabled"
    )


@pytest.mark.parametrize("code", ["RequestExpired", "RequestTimeTooSkewed"])
def test_a_wrong_clock_stops_the_job_and_says_so(code: str) -> None:
    error = map_sqs_error(answered(code, status=403), ADDRESS)

    assert type(error) is QueueError
    assert str(error) == (
        f"queue logins at http://127.0.0.1:9324: AWS refuses the time of the request ({code}); set this machine's clock"
    )


@pytest.mark.parametrize(
    "message",
    [
        "Signature expired: 20260131T110000Z is now earlier than 20260131T115500Z",
        "Signature not yet current: 20260131T130000Z is still later than 20260131T120500Z",
    ],
)
def test_a_signature_of_another_time_is_a_wrong_clock_and_no_wrong_key(message: str) -> None:
    error = map_sqs_error(answered("SignatureDoesNotMatch", status=403, message=message), ADDRESS)

    assert type(error) is QueueError
    assert str(error).endswith("AWS refuses the time of the request (SignatureDoesNotMatch); set this machine's clock")


@pytest.mark.parametrize(
    "fault",
    [
        NoCredentialsError(),
        PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        ProfileNotFound(profile="night-shift"),
        TokenRetrievalError(provider="sso", error_msg="expired"),
        UnauthorizedSSOTokenError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
def test_missing_credentials_stop_the_job_and_say_how_to_give_them(fault: BotoCoreError) -> None:
    error = map_sqs_error(fault, ADDRESS)

    assert type(error) is QueueError
    assert str(error).startswith("queue logins at http://127.0.0.1:9324: no AWS credentials (")
    assert str(error).endswith(
        "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them"
    )


def test_a_missing_region_stops_the_job_and_says_how_to_give_it() -> None:
    error = map_sqs_error(NoRegionError(), QueueAddress("logins"))

    assert type(error) is QueueError
    assert str(error) == "queue logins: no AWS region; give the queue's URL or set AWS_REGION"


@pytest.mark.parametrize("code", ["OverLimit", "AWS.SimpleQueueService.OverLimit"])
def test_too_many_messages_in_flight_is_a_kind_of_its_own_to_back_off_on(code: str) -> None:
    error = map_sqs_error(answered(code, status=403), ADDRESS)

    assert type(error) is OverLimitError
    assert isinstance(error, QueueUnavailableError)
    assert str(error) == f"queue logins at http://127.0.0.1:9324: too many messages in flight ({code})"


@pytest.mark.parametrize(
    ("code", "status"),
    [("InternalError", 500), ("ServiceUnavailable", 503), ("ThrottlingException", 400), ("RequestThrottled", 403)],
)
def test_any_other_answer_may_be_tried_again(code: str, status: int) -> None:
    error = map_sqs_error(answered(code, status), ADDRESS)

    assert type(error) is QueueUnavailableError
    assert str(error) == f"queue logins at http://127.0.0.1:9324: SQS answered {code} (HTTP {status})"


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:9324"), "EndpointConnectionError"),
        (ConnectTimeoutError(endpoint_url="http://127.0.0.1:9324"), "ConnectTimeoutError"),
        (ReadTimeoutError(endpoint_url="http://127.0.0.1:9324"), "ReadTimeoutError"),
    ],
)
def test_no_answer_may_be_tried_again(fault: BotoCoreError, name: str) -> None:
    error = map_sqs_error(fault, ADDRESS)

    assert type(error) is QueueUnavailableError
    assert str(error) == f"queue logins at http://127.0.0.1:9324: SQS did not answer ({name})"


def test_an_answer_without_code_or_status_may_be_tried_again() -> None:
    error = map_sqs_error(ClientError({}, "ReceiveMessage"), ADDRESS)

    assert type(error) is QueueUnavailableError
    assert str(error) == "queue logins at http://127.0.0.1:9324: SQS answered unknown (HTTP no status)"


def test_the_text_never_quotes_what_sqs_said() -> None:
    fault = ClientError({"Error": {"Code": "InternalError", "Message": "body was 199.172.111.135"}}, "SendMessage")

    error = map_sqs_error(fault, ADDRESS)

    assert "199.172.111.135" not in str(error)
