"""Tokens in the place of a password: what each is for, and that each connection has its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError, NoCredentialsError

from maskline.errors import DatabaseError, DatabaseUnavailableError
from maskline.postgres.rds import RdsEndpoint, rds_endpoint, rds_token

HOST = "logins.c9akciq32rgw.eu-central-1.rds.amazonaws.com"
ENDPOINT = RdsEndpoint(HOST, 5433, "writer", "eu-central-1")


@pytest.mark.parametrize(
    ("host", "region"),
    [
        (HOST, "eu-central-1"),
        (HOST.upper(), "eu-central-1"),
        ("logins.cluster-c9akciq32rgw.us-east-1.rds.amazonaws.com", "us-east-1"),
        ("logins.cluster-ro-c9akciq32rgw.us-east-1.rds.amazonaws.com", "us-east-1"),
        ("logins.proxy-c9akciq32rgw.us-west-2.rds.amazonaws.com", "us-west-2"),
        ("logins.c9akciq32rgw.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("logins.c9akciq32rgw.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_the_region_is_that_of_the_host(host: str, region: str) -> None:
    endpoint = rds_endpoint({"host": host, "user": "writer"}, environment={})

    assert endpoint == RdsEndpoint(host.lower(), 5432, "writer", region)


@pytest.mark.parametrize(
    ("parameters", "environment", "port"),
    [({"port": "5433"}, {"PGPORT": "6432"}, 5433), ({}, {"PGPORT": "6432"}, 6432), ({}, {}, 5432)],
)
def test_the_port_is_the_one_that_libpq_takes(
    parameters: dict[str, str], environment: dict[str, str], port: int
) -> None:
    assert rds_endpoint({"host": HOST, "user": "writer", **parameters}, environment).port == port


def client(service: str, region: str | None) -> Any:
    return boto3.session.Session("AKIDEXAMPLE", "secret").client(service, region_name=region)


def test_a_token_is_signed_for_host_port_user_and_region_and_lasts_a_quarter_of_an_hour() -> None:
    token = rds_token(ENDPOINT, client)

    parts = urlsplit(f"https://{token}")
    query = parse_qs(parts.query)
    assert parts.netloc == f"{HOST}:5433"
    assert (query["Action"], query["DBUser"], query["X-Amz-Expires"]) == (["connect"], ["writer"], ["900"])
    assert query["X-Amz-Credential"][0].endswith("/eu-central-1/rds-db/aws4_request")
    signed_at = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - signed_at) < timedelta(minutes=5)


class Refusing:
    """A client that has no token to give."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, *_: object) -> Refusing:
        return self

    def generate_db_auth_token(self, **_: object) -> str:
        raise self._error


def test_missing_credentials_are_for_a_person_to_fix() -> None:
    with pytest.raises(DatabaseError, match="postgres: rds-iam: no AWS credentials"):
        rds_token(ENDPOINT, Refusing(NoCredentialsError()))


def test_credentials_that_cannot_be_had_now_are_tried_again() -> None:
    refusing = Refusing(CredentialRetrievalError(provider="container-role", error_msg="timed out"))

    with pytest.raises(DatabaseUnavailableError, match="no credentials could be had for a token"):
        rds_token(ENDPOINT, refusing)
