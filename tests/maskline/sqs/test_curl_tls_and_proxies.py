"""`CurlTransport` trusts the authorities and goes by the proxies that boto3 does."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from botocore.credentials import Credentials

from tests.maskline.sqs.recording_server import RecordingServer
from tests.maskline.sqs.signatures import ACCESS_KEY, SECRET_KEY, TOKEN, signature_by_botocore, signature_of
from tests.maskline.sqs.transports import WAYS, Connections, connected, end_of, session_with

AWS_HOST = "sqs.us-east-1.amazonaws.com"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """A certificate authority that nobody knows."""
    return trustme.CA()


@pytest.fixture
def authorities(authority: trustme.CA, tmp_path: Path) -> str:
    """A file with its certificate, in a directory as people name them."""
    file = tmp_path / "Schlüssel und Zeugnisse" / "authorities.pem"
    file.parent.mkdir()
    authority.cert_pem.write_to_path(str(file))
    return str(file)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without proxies, authorities and configuration of its own."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/there/is/none")
    return monkeypatch


def certificate(authority: trustme.CA, name: str) -> ssl.SSLContext:
    """Return what a server of a name shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def receive_both_ways(connections: Connections) -> list[str]:
    """Return how receiving ends over boto3 and over libcurl."""
    return [end_of(lambda queue: queue.receive(10, 0, 60), connections.queue(way, "logins")) for way in WAYS]


@pytest.mark.parametrize("by", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "AWS_CONFIG_FILE"])
def test_an_authority_that_boto3_is_told_of_is_trusted(
    by: str, authority: trustme.CA, authorities: str, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration = tmp_path / "config"
    configuration.write_text(f"[default]\nca_bundle = {authorities}\n", encoding="utf-8")
    environment.setenv(by, str(configuration) if by == "AWS_CONFIG_FILE" else authorities)

    with (
        RecordingServer(tls=certificate(authority, "127.0.0.1")) as server,
        connected(server.endpoint) as connections,
    ):
        ends = receive_both_ways(connections)

    assert ends == ["brings []", "brings []"]
    assert connections.fallback.asked == 0


@pytest.mark.parametrize(
    ("name", "is_known"), [("127.0.0.1", False), ("127.0.0.2", True)], ids=["unknown authority", "another's name"]
)
def test_a_server_that_cannot_be_trusted_gets_no_request(
    name: str, is_known: bool, authority: trustme.CA, authorities: str, environment: pytest.MonkeyPatch
) -> None:
    if is_known:
        environment.setenv("AWS_CA_BUNDLE", authorities)

    with RecordingServer(tls=certificate(authority, name)) as server, connected(server.endpoint) as connections:
        ends = receive_both_ways(connections)

    assert ends == 2 * ["QueueUnavailableError: queue logins: SQS did not answer (SSLError)"]
    assert server.accepted == 3
    assert server.requests == []


@pytest.fixture
def aws_behind_a_proxy(authority: trustme.CA) -> Iterator[RecordingServer]:
    """A proxy with AWS's own SQS behind it, or what is taken for it."""
    with RecordingServer(tls=certificate(authority, AWS_HOST), is_tls_at_once=False) as server:
        yield server


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize("login", ["", "user:pass%40word@"], ids=["open", "with login"])
def test_aws_is_called_through_a_proxy_that_sees_no_credentials(
    variable: str, login: str, aws_behind_a_proxy: RecordingServer, authorities: str, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv(variable, f"http://{login}127.0.0.1:{aws_behind_a_proxy.port}")
    environment.setenv("AWS_CA_BUNDLE", authorities)

    with connected(None, session_with(ACCESS_KEY, SECRET_KEY, TOKEN)) as connections:
        ends = receive_both_ways(connections)

    assert ends == ["brings []", "brings []"]
    assert connections.fallback.asked == 0
    fallback, _, to_proxy, to_aws = aws_behind_a_proxy.requests
    assert (to_proxy.method, to_proxy.target) == (fallback.method, fallback.target) == ("CONNECT", f"{AWS_HOST}:443")
    assert to_proxy.headers.keys() <= {"host", "user-agent", "proxy-connection", "proxy-authorization"}
    assert to_proxy.headers.get("proxy-authorization") == fallback.headers.get("proxy-authorization")
    assert ("proxy-authorization" in to_proxy.headers) == bool(login)
    assert "proxy-authorization" not in to_aws.headers
    assert signature_of(to_aws) == signature_by_botocore(
        to_aws, f"https://{AWS_HOST}/", Credentials(ACCESS_KEY, SECRET_KEY, TOKEN)
    )


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({"AWS_USE_FIPS_ENDPOINT": "true"}, "sqs-fips.us-east-1.amazonaws.com"),
        ({"AWS_USE_DUALSTACK_ENDPOINT": "true"}, "sqs.us-east-1.api.aws"),
        ({"AWS_ENDPOINT_URL_SQS": "https://sqs.example:8443/prefix"}, "sqs.example:8443"),
    ],
    ids=["FIPS", "IPv6, too", "of the environment"],
)
def test_the_host_is_the_one_that_boto3_calls(
    variables: dict[str, str], host: str, aws_behind_a_proxy: RecordingServer, environment: pytest.MonkeyPatch
) -> None:
    environment.setenv("HTTPS_PROXY", aws_behind_a_proxy.endpoint)
    for name, value in variables.items():
        environment.setenv(name, value)

    with connected(None) as connections:
        receive_both_ways(connections)

    assert {request.target.removesuffix(":443") for request in aws_behind_a_proxy.requests} == {host}
    assert len(aws_behind_a_proxy.requests) == 3


@pytest.mark.parametrize("login", ["", "user:pass%40word@"], ids=["open", "with login"])
@pytest.mark.parametrize("port", ["", ":80", ":9324"])
def test_an_endpoint_without_tls_is_called_through_its_proxy(
    port: str, login: str, environment: pytest.MonkeyPatch
) -> None:
    with RecordingServer() as server:
        environment.setenv("HTTP_PROXY", f"{login}127.0.0.1:{server.port}")  # some leave the scheme out
        with connected(f"http://sqs.example{port}", session_with(ACCESS_KEY, SECRET_KEY)) as connections:
            ends = receive_both_ways(connections)

    assert ends == ["brings []", "brings []"]
    assert connections.fallback.asked == 0
    fallback, by_curl = server.requests
    assert by_curl.headers["host"] == f"sqs.example{port.removesuffix(':80')}"
    assert by_curl.target == f"http://{by_curl.headers['host']}/"
    assert by_curl.headers.get("proxy-authorization") == fallback.headers.get("proxy-authorization")
    assert signature_of(by_curl) == signature_by_botocore(
        by_curl, f"http://sqs.example{port}/", Credentials(ACCESS_KEY, SECRET_KEY)
    )


def test_a_proxy_login_is_kept_out_of_what_is_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("HTTP_PROXY", "http://user:secret-word@127.0.0.1:1")
    with connected("http://sqs.example", session_with(ACCESS_KEY, SECRET_KEY)) as connections:
        ends = receive_both_ways(connections)

    assert ends[0] == ends[1]
    assert "secret-word" not in ends[1] + repr(connections.transport)


@pytest.mark.parametrize(
    ("variable", "value"),
    [("NO_PROXY", "127.0.0.1"), ("NO_PROXY", "*"), ("no_proxy", "example.com,127.0.0.1:{port}")],
)
def test_no_proxy_is_taken_where_boto3_takes_none(variable: str, value: str, environment: pytest.MonkeyPatch) -> None:
    with RecordingServer() as server, RecordingServer() as proxy:
        environment.setenv("HTTP_PROXY", proxy.endpoint)
        environment.setenv(variable, value.format(port=server.port))
        with connected(server.endpoint) as connections:
            ends = receive_both_ways(connections)

    assert ends == ["brings []", "brings []"]
    assert (len(server.requests), len(proxy.requests)) == (2, 0)


@pytest.mark.parametrize("variable", ["ALL_PROXY", "HTTPS_PROXY"])
def test_a_proxy_that_boto3_does_not_take_is_not_taken(variable: str, environment: pytest.MonkeyPatch) -> None:
    with RecordingServer() as server, RecordingServer() as proxy:
        environment.setenv(variable, proxy.endpoint)
        with connected(server.endpoint) as connections:
            ends = receive_both_ways(connections)

    assert ends == ["brings []", "brings []"]
    assert (len(server.requests), len(proxy.requests)) == (2, 0)
