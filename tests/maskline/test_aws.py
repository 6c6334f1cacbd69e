"""A failed call of AWS is what a person has to fix, or what passes, and never the one taken for the other."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOTokenLoadError,
    TokenRetrievalError,
    UnauthorizedSSOTokenError,
)

from maskline.aws import (
    PlaintextEndpointError,
    error_code,
    http_status,
    is_access_denied,
    open_client,
    setup_problem,
)
from maskline.errors import QueueError
from maskline.sqs import QueueAddress, SqsQueue, connections
from tests.aws_emulation import EmulatedAws

FIX = "; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where a role gives them"


def answer(code: str, status: int = 400) -> ClientError:
    """Return the error that botocore makes of an answer."""
    return ClientError(
        {"Error": {"Code": code, "Message": "hidden"}, "ResponseMetadata": {"HTTPStatusCode": status}},
        "Decrypt",
    )


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (NoCredentialsError(), f"no AWS credentials (Unable to locate credentials){FIX}"),
        (
            PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
            f"no AWS credentials (Partial credentials found in env, missing: AWS_SECRET_ACCESS_KEY){FIX}",
        ),
        (
            ProfileNotFound(profile="logins"),
            f"no AWS credentials (The config profile (logins) could not be found){FIX}",
        ),
        (
            SSOTokenLoadError(error_msg="Token for logins does not exist"),
            f"no AWS credentials (Error loading SSO Token: Token for logins does not exist){FIX}",
        ),
        (
            TokenRetrievalError(provider="sso", error_msg="it has expired"),
            f"no AWS credentials (Error when retrieving token from sso: it has expired){FIX}",
        ),
        (
            UnauthorizedSSOTokenError(),
            "no AWS credentials (The SSO session associated with this profile has expired or is otherwise invalid. To "
            f"refresh this SSO session run aws sso login with the corresponding profile.){FIX}",
        ),
        (NoRegionError(), "no AWS region; set AWS_REGION"),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_a_wrong_set_up_is_told_with_what_fixes_it(error: BotoCoreError, problem: str) -> None:
    assert setup_problem(error) == problem


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://kms"),
        ConnectTimeoutError(endpoint_url="https://kms"),
        CredentialRetrievalError(provider="container-role", error_msg="hidden"),
        answer("AccessDenied", 403),
        answer("InternalError", 500),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_not_the_set_up_s_fault_is_not_blamed_on_it(error: BotoCoreError | ClientError) -> None:
    assert setup_problem(error) is None


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        (
            "AWS_DEFAULT_REGION",
            "eu central 1",
            "the AWS region is not the name of one; see AWS_REGION and AWS_DEFAULT_REGION",
        ),
        (
            "AWS_ENDPOINT_URL_KMS",
            "localhost:4566",
            "an AWS endpoint is not a URL; see AWS_ENDPOINT_URL and those that begin with it",
        ),
        (
            "AWS_PROFILE",
            "absent",
            f"no AWS credentials (The config profile (absent) could not be found){FIX}",
        ),
    ],
)
def test_a_setting_that_cannot_be_used_is_told_before_a_call(
    aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(BotoCoreError) as failure:
        open_client("kms", None)

    assert setup_problem(failure.value) == problem


def test_a_configuration_file_that_cannot_be_read_is_named_and_not_quoted(
    aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text("aws_secret_access_key = hidden")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    with pytest.raises(BotoCoreError) as failure:
        open_client("kms", None)

    assert setup_problem(failure.value) == "AWS's configuration file cannot be read; see AWS_CONFIG_FILE"


@pytest.mark.parametrize("service", ["kms", "s3", "secretsmanager"])
def test_a_client_finds_its_service_where_the_environment_says(aws: EmulatedAws, service: str) -> None:
    client = open_client(service, "eu-west-1")

    assert client.meta.endpoint_url == aws.endpoint
    assert client.meta.region_name == "eu-west-1"


def test_a_client_gives_up_within_a_minute(aws: EmulatedAws) -> None:
    config = open_client("kms", None).meta.config

    assert (config.connect_timeout, config.read_timeout) == (5, 10)
    assert config.retries == {"mode": "standard", "total_max_attempts": 3}


@pytest.mark.parametrize(
    "code",
    [
        "403",
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    ],
)
def test_refused_credentials_are_a_refusal(code: str) -> None:
    assert is_access_denied(answer(code, 403))


@pytest.mark.parametrize("code", ["RequestExpired", "RequestTimeTooSkewed"])
def test_a_wrong_clock_is_called_one(code: str) -> None:
    assert setup_problem(answer(code, 403)) == (
        f"AWS refuses the time of the request ({code}); set this machine's clock"
    )


@pytest.mark.parametrize("code", ["ThrottlingException", "InternalError", "NoSuchKey", "500", "unknown"])
def test_anything_else_is_no_refusal(code: str) -> None:
    assert not is_access_denied(answer(code))
    assert not is_access_denied(EndpointConnectionError(endpoint_url="https://kms"))


def test_an_error_has_the_service_s_code_or_botocore_s_name() -> None:
    assert error_code(answer("NoSuchKey")) == "NoSuchKey"
    assert error_code(ClientError({}, "Decrypt")) == "unknown"
    assert error_code(NoRegionError()) == "NoRegionError"


def test_an_answer_has_a_status_and_no_answer_has_none() -> None:
    assert http_status(answer("NoSuchKey", 404)) == 404
    assert http_status(ClientError({}, "Decrypt")) == "no status"
    assert http_status(NoRegionError()) == "no status"


@pytest.mark.parametrize("service", ["kms", "s3", "secretsmanager"])
def test_an_endpoint_in_clear_on_another_machine_is_refused_unless_the_environment_allows_it(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://aws.internal:4566")

    with pytest.raises(PlaintextEndpointError) as refusal:
        open_client(service, "eu-central-1")

    assert "allow it: MASKLINE_ALLOW_PLAINTEXT_ENDPOINT=true" in str(setup_problem(refusal.value))
    monkeypatch.setenv("MASKLINE_ALLOW_PLAINTEXT_ENDPOINT", "true")
    assert open_client(service, "eu-central-1").meta.endpoint_url == "http://aws.internal:4566"


def test_a_queue_by_name_at_an_endpoint_in_clear_of_the_environment_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_shared", {})
    monkeypatch.setenv("AWS_ENDPOINT_URL_SQS", "http://sqs.internal:9324")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")

    with pytest.raises(QueueError, match="an AWS endpoint is http:// and not on this machine"):
        SqsQueue.open(QueueAddress("logins"))
