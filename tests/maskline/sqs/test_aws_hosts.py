"""Every host of SQS is called as the queue's URL has it, and signed for its region, whatever the environment says.

Here are the kinds of hosts; which region each host of each partition names is in ``test_address.py``.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import trustme

from maskline.sqs import SqsQueue, connections
from maskline.sqs.address import QueueAddress
from maskline.sqs.connections import shared_connections
from maskline.sqs.curl_transport import CurlTransport
from tests.maskline.sqs.recording_server import RecordingServer

ACCOUNT = "123456789012"
ELSEWHERE = {
    "AWS_DEFAULT_REGION": "ap-southeast-2",
    "AWS_REGION": "ap-southeast-2",
    "AWS_ENDPOINT_URL": "https://elsewhere.example",
    "AWS_ENDPOINT_URL_SQS": "https://elsewhere.example",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
}
PROFILE = """
[profile elsewhere]
region = ap-southeast-2
endpoint_url = https://elsewhere.example
use_fips_endpoint = true
use_dualstack_endpoint = true
services = elsewhere
[services elsewhere]
sqs =
  endpoint_url = https://elsewhere.example
"""
VPC_ENDPOINT = "vpce-0a1b2c3d-4e5f-eu-central-1a.sqs.eu-central-1.vpce.amazonaws.com"
HOSTS = [
    ("sqs.eu-central-1.amazonaws.com", "eu-central-1"),
    ("eu-central-1.queue.amazonaws.com", "eu-central-1"),
    ("queue.amazonaws.com", "us-east-1"),
    ("sqs.us-east-1.api.aws", "us-east-1"),
    ("sqs-fips.us-east-1.amazonaws.com", "us-east-1"),
    (VPC_ENDPOINT, "eu-central-1"),
    ("sqs.cn-north-1.amazonaws.com.cn", "cn-north-1"),
    ("sqs.us-gov-west-1.amazonaws.com", "us-gov-west-1"),
    ("sqs.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"),
    ("sqs.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"),
]
_SCOPE = re.compile(r"Credential=key/\d{8}/([a-z0-9-]+)/sqs/aws4_request")
OWN_HOST = "sqs.internal.example"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment that says nothing of AWS but credentials, and connections of the test's own."""
    for name in (*ELSEWHERE, "AWS_PROFILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("https_proxy", "no_proxy", "NO_PROXY"):
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


class Call(msgspec.Struct, frozen=True, order=True):
    """A call as it arrives.

    Attributes:
        operation: Of SQS.
        connected: The host and port that the connection was asked for.
        host: What the request says of that.
        region: The region that it was signed for.
    """

    operation: str
    connected: str
    host: str
    region: str


class Internet:
    """All hosts of AWS, behind one proxy that writes down what comes.

    Args:
        server: The proxy.
    """

    def __init__(self, server: RecordingServer) -> None:
        self._server = server

    def calls(self) -> list[Call]:
        """Return what came, and forget it."""
        found, connected = [], ""
        for request in self._server.requests:
            if request.method == "CONNECT":
                connected = request.target
                continue
            signed_for = re.search(
                r"Credential=key/\d{8}/([a-z0-9-]+)/sqs/aws4_request", request.headers["authorization"]
            )
            assert signed_for
            operation = request.headers["x-amz-target"].removeprefix("AmazonSQS.")
            found.append(Call(operation, connected, request.headers["host"], signed_for[1]))
        self._server.requests.clear()
        return found


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Who vouches for all of AWS's hosts."""
    return trustme.CA()


@pytest.fixture(scope="module")
def proxy(authority: trustme.CA) -> Iterator[RecordingServer]:
    """A proxy, with all of AWS's hosts behind it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*(host for host, _ in HOSTS), OWN_HOST).configure_cert(context)
    with RecordingServer(tls=context, is_tls_at_once=False) as server:
        yield server


@pytest.fixture
def internet(
    proxy: RecordingServer, authority: trustme.CA, environment: pytest.MonkeyPatch, tmp_path: Path
) -> Internet:
    """What the test's calls reach."""
    file = tmp_path / "authorities.pem"
    authority.cert_pem.write_to_path(str(file))
    environment.setenv("AWS_CA_BUNDLE", str(file))
    environment.setenv("HTTPS_PROXY", proxy.endpoint)
    proxy.requests.clear()
    return Internet(proxy)


def set_profile(environment: pytest.MonkeyPatch, directory: Path) -> None:
    """Have a profile say otherwise."""
    file = directory / "config"
    file.write_text(PROFILE)
    environment.setenv("AWS_CONFIG_FILE", str(file))
    environment.setenv("AWS_PROFILE", "elsewhere")


def call_both_ways(address: QueueAddress) -> None:
    """Call over libcurl, and over boto3."""
    queue = SqsQueue.open(address)
    queue.receive(1, 0, 60)
    queue.attributes()


@pytest.mark.parametrize(("host", "region"), HOSTS)
def test_a_url_is_called_as_it_stands_and_signed_for_its_region(
    host: str, region: str, internet: Internet, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_profile(environment, tmp_path)
    for name, value in ELSEWHERE.items():
        environment.setenv(name, value)

    call_both_ways(QueueAddress(f"https://{host}/{ACCOUNT}/logins"))

    assert internet.calls() == [
        Call("ReceiveMessage", f"{host}:443", host, region),
        Call("GetQueueAttributes", f"{host}:443", host, region),
    ]


def test_a_profile_alone_leads_no_url_elsewhere(
    internet: Internet, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_profile(environment, tmp_path)
    host, region = HOSTS[0]

    call_both_ways(QueueAddress(f"https://{host}/{ACCOUNT}/logins"))

    assert {(call.host, call.region) for call in internet.calls()} == {(host, region)}


@pytest.mark.parametrize(
    ("address", "region"),
    [
        (QueueAddress(f"https://{OWN_HOST}/{ACCOUNT}/logins"), "ap-southeast-2"),
        (QueueAddress(f"https://sqs.eu-west-1.amazonaws.com/{ACCOUNT}/logins", f"https://{OWN_HOST}"), "eu-west-1"),
    ],
    ids=["of the environment", "of the queue's URL"],
)
@pytest.mark.parametrize("by", ["variable", "profile"])
def test_a_host_of_ones_own_is_called_and_signed_for_the_region_that_is_known(
    address: QueueAddress, region: str, by: str, internet: Internet, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if by == "variable":
        environment.setenv("AWS_REGION", "ap-southeast-2")
    else:
        set_profile(environment, tmp_path)

    call_both_ways(address)

    assert {(call.host, call.region) for call in internet.calls()} == {(OWN_HOST, region)}


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


def test_a_name_at_an_endpoint_of_aws_is_signed_for_the_region_of_that(
    internet: Internet, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("AWS_REGION", "ap-southeast-2")
    address = QueueAddress("logins", f"https://{VPC_ENDPOINT}")

    client, _ = shared_connections(address.service_endpoint, address.region)
    client.list_queues()

    assert internet.calls() == [Call("ListQueues", f"{VPC_ENDPOINT}:443", VPC_ENDPOINT, "eu-central-1")]
