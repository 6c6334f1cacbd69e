"""Every host of SQS is called as the queue's URL has it, and signed for its region, whatever the environment says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from maskline.sqs import SqsQueue, connections
from maskline.sqs.address import QueueAddress
from maskline.sqs.connections import shared_connections
from maskline.sqs.curl_transport import CurlTransport

ACCOUNT = "123456789012"
ELSEWHERE = {
    "AWS_DEFAULT_REGION": "ap-southeast-2",
    "AWS_REGION": "ap-southeast-2",
    "AWS_ENDPOINT_URL": "https://elsewhere.example",
    "AWS_ENDPOINT_URL_SQS": "https://elsewhere.example",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that says nothing of AWS but credentials, and connections of the test's own."""
    for name in ELSEWHERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    shared: dict[object, tuple[Any, CurlTransport]] = {}
    monkeypatch.setattr(connections, "_shared", shared)
    yield monkeypatch
    for client, transport in shared.values():
        client.close()
        transport.close()


@pytest.mark.parametrize(
    ("host", "region"),
    [
        ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
        ("vpce-0a1b2c3d-4e5f.sqs.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("sqs-fips.us-east-1.amazonaws.com", "us-east-1"),
        ("sqs.eu-west-1.api.aws", "eu-west-1"),
        ("eu-west-1.queue.amazonaws.com", "eu-west-1"),
        ("queue.amazonaws.com", "us-east-1"),
        ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
        ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ],
)
def test_a_url_is_called_as_it_stands_and_signed_for_its_region(
    host: str, region: str, environment: pytest.MonkeyPatch
) -> None:
    for name, value in ELSEWHERE.items():
        environment.setenv(name, value)
    address = QueueAddress(f"https://{host}/{ACCOUNT}/logins")

    queue = SqsQueue.open(address)

    client, _ = shared_connections(address.service_endpoint, address.region, address.connections)
    assert queue.url == address.queue
    assert (client.meta.endpoint_url, client.meta.region_name) == (f"https://{host}", region)


@pytest.mark.parametrize(
    ("variables", "region"),
    [
        ({"AWS_REGION": "eu-north-1"}, "eu-north-1"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        ({"AWS_REGION": "eu-north-1", "AWS_DEFAULT_REGION": ""}, "eu-north-1"),
    ],
)
def test_a_name_is_looked_for_in_the_region_of_the_environment(
    variables: dict[str, str], region: str, environment: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        environment.setenv(name, value)

    client, _ = shared_connections(None, QueueAddress("logins").region)

    assert client.meta.endpoint_url == f"https://sqs.{region}.amazonaws.com"
