"""What can be wrong between a process and AWS, each as a fixture."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.config import Config

from maskline.aws import OpenClient
from tests.aws_emulation import EmulatedAws


@pytest.fixture
def no_credentials(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS without credentials."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_region(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS without a region."""
    for name in ("AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def no_service(aws: EmulatedAws) -> OpenClient:
    """Clients of services that nobody runs, without the retries that tests would wait for."""

    def open_client(service: str, region: str | None) -> Any:
        config = Config(connect_timeout=5, retries={"mode": "standard", "total_max_attempts": 1})
        session = boto3.session.Session()
        return session.client(service, region_name=region, endpoint_url="http://127.0.0.1:1", config=config)

    return open_client
