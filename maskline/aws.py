"""What calls of every AWS service have in common: how a client is made, and which failures a person has to fix.

Source: https://boto3.amazonaws.com/v1/documentation/api/latest/guide/error-handling.html
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from typing import Any, TypeAlias

import botocore.session
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConfigNotFound,
    ConfigParseError,
    InvalidEndpointConfigurationError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
    UnknownRegionError,
)

from maskline.logs import silence_wire_logging
from maskline.plaintext import ALLOWED_VARIABLE, is_plaintext_allowed, is_plaintext_beyond_loopback

HOST_SUFFIXES = (
    "amazonaws.com",
    "api.aws",
    "amazonaws.com.cn",
    "api.amazonwebservices.com.cn",
    "amazonaws.eu",
    "api.amazonwebservices.eu",
    "c2s.ic.gov",
    "api.aws.ic.gov",
    "sc2s.sgov.gov",
    "api.aws.scloud",
    "cloud.adc-e.uk",
    "api.cloud-aws.adc-e.uk",
    "csp.hci.ic.gov",
    "api.aws.hci.ic.gov",
)
"""What the names of AWS's hosts end with, in every partition, and where they have an IPv6 address, too."""

OpenClient = Callable[[str, str | None], Any]
"""Makes a boto3 client of a service (``kms``) in a region, or in that of the environment if None."""

AwsError: TypeAlias = BotoCoreError | ClientError
"""What botocore raises."""

_NOT_ALLOWED = {
    "401",  # botocore's code for an answer without one
    "403",
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
    "InvalidToken",
    "MissingAuthenticationToken",
    "NotAuthorized",
    "OptInRequired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_CLOCK_IS_WRONG = {"RequestExpired", "RequestTimeTooSkewed"}
_SIGNED_AT_A_WRONG_TIME = ("Signature expired", "Signature not yet current")
_CREDENTIALS_MISSING = (
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)


def open_client(service: str, region: str | None) -> Any:
    """Make a client that gives up within a minute.

    Where the service is comes from AWS's own settings: ``AWS_ENDPOINT_URL_KMS`` and the like name another than AWS's.

    Args:
        service: ``kms``, ``s3`` or ``secretsmanager``.
        region: Its region, or None for that of the environment.

    Raises:
        botocore.exceptions.BotoCoreError: There is no region, or the configuration cannot be read or used.
    """
    return _open_client(
        service,
        region,
        Config(connect_timeout=5, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}),
    )


def open_hurried_client(service: str, region: str | None) -> Any:
    """Make a client for questions that may stay without an answer: it tries once, and gives up within five seconds.

    Args:
        service: As for `open_client`.
        region: As for `open_client`.

    Raises:
        botocore.exceptions.BotoCoreError: As for `open_client`.
    """
    return _open_client(service, region, Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 1}))


def _open_client(service: str, region: str | None, config: Config) -> Any:
    silence_wire_logging()
    try:
        session = botocore.session.get_session()
        client = session.create_client(service, region_name=region or environment_region(), config=config)
    except BotoCoreError:
        raise
    except ValueError as error:  # botocore's for an endpoint that is no URL
        raise InvalidEndpointConfigurationError(msg=str(error)) from None
    check_endpoint(client)
    return client


class PlaintextEndpointError(InvalidEndpointConfigurationError):
    """AWS's own settings name an endpoint that would be talked to in clear over the network."""


def check_endpoint(client: Any) -> None:
    """Refuse a client whose endpoint is ``http://`` and not on this machine, unless the environment allows it.

    Args:
        client: A boto3 client.

    Raises:
        PlaintextEndpointError: It is; nothing was sent.
    """
    if is_plaintext_beyond_loopback(client.meta.endpoint_url) and not is_plaintext_allowed():
        raise PlaintextEndpointError(msg=client.meta.endpoint_url)


def environment_region() -> str | None:
    """Return the region that the environment names, or None: that of AWS's configuration file is boto3's to find.

    boto3 reads ``AWS_DEFAULT_REGION`` alone; every other SDK, and Lambda, ECS and EKS, say ``AWS_REGION``.

    Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html
    """
    return os.environ.get("AWS_DEFAULT_REGION") or os.environ.get("AWS_REGION") or None


@functools.cache
def partition_of(region: str) -> str:
    """Return the partition that a region belongs to: ``aws``, ``aws-cn``, ``aws-us-gov`` and so on.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html

    Args:
        region: A region; one of no known form is taken to be of ``aws``.
    """
    try:
        partition: str = botocore.session.get_session().get_partition_for_region(region)
    except UnknownRegionError:
        return "aws"
    return partition


def setup_problem(error: AwsError) -> str | None:
    """Return what is wrong with this process's AWS set-up and how to fix it, or None where something else failed."""
    if isinstance(error, _CREDENTIALS_MISSING):
        return (
            f"no AWS credentials ({error}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_PROFILE, or run where "
            "a role gives them"
        )
    if isinstance(error, NoRegionError):
        return "no AWS region; set AWS_REGION"
    if isinstance(error, InvalidRegionError):
        return "the AWS region is not the name of one; see AWS_REGION and AWS_DEFAULT_REGION"
    if isinstance(error, PlaintextEndpointError):
        return (
            "an AWS endpoint is http:// and not on this machine, so the network could read what is sent; give https:// "
            f"in AWS_ENDPOINT_URL and those that begin with it, or allow it: {ALLOWED_VARIABLE}=true"
        )
    if isinstance(error, InvalidEndpointConfigurationError):
        return "an AWS endpoint is not a URL; see AWS_ENDPOINT_URL and those that begin with it"
    if isinstance(error, ConfigNotFound | ConfigParseError):
        return "AWS's configuration file cannot be read; see AWS_CONFIG_FILE"
    if error_code(error) in _CLOCK_IS_WRONG or _message(error).startswith(_SIGNED_AT_A_WRONG_TIME):
        return f"AWS refuses the time of the request ({error_code(error)}); set this machine's clock"
    return None


def error_code(error: AwsError) -> str:
    """Return the service's code of an error, or botocore's name for one that is not the service's."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "unknown"))
    return type(error).__name__


def _message(error: AwsError) -> str:
    return str(error.response.get("Error", {}).get("Message", "")) if isinstance(error, ClientError) else ""


def http_status(error: AwsError) -> int | str:
    """Return the HTTP status that the service answered with, in words where it did not."""
    answer = error.response if isinstance(error, ClientError) else {}
    status: int | str = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", "no status")
    return status


def is_access_denied(error: AwsError) -> bool:
    """Return whether the service refuses these credentials, or what they ask for."""
    return error_code(error) in _NOT_ALLOWED
