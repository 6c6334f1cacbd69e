"""`CurlTransport` signs as botocore does, with credentials that are botocore's at the time of the call."""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.credentials import CredentialResolver, Credentials, RefreshableCredentials
from botocore.exceptions import CredentialRetrievalError

from maskline.errors import QueueUnavailableError
from maskline.records import Receipt
from tests.aws_emulation import EmulatedAws
from tests.maskline.sqs.recording_server import RecordedRequest, RecordingServer
from tests.maskline.sqs.signatures import ACCESS_KEY, SECRET_KEY, TOKEN, signature_by_botocore, signature_of
from tests.maskline.sqs.transports import REGION, WAYS, connected, end_of, new_session, session_with

pytestmark = pytest.mark.usefixtures("sqs")  # in the environment: no proxy on loopback, no credentials but these

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


class Provider:
    """The only credential provider of a session.

    Args:
        credentials: What it gives.
    """

    METHOD = "test"
    CANONICAL_NAME = None

    def __init__(self, credentials: Any) -> None:
        self._credentials = credentials

    def load(self) -> Any:
        return self._credentials


class Renewing:
    """Credentials that are good for an hour, by a clock that moves when told."""

    def __init__(self) -> None:
        self.now = START
        self.renewals = 0
        self.fails = False
        first = self._renew()
        self.credentials = RefreshableCredentials(
            first["access_key"],
            SECRET_KEY,
            first["token"],
            START + timedelta(hours=1),
            self._renew,
            "test",
            self._clock,
        )

    def _clock(self) -> datetime:
        return self.now

    def _renew(self) -> dict[str, str]:
        if self.fails:
            raise CredentialRetrievalError(provider="test", error_msg="gone")
        self.renewals += 1
        return {
            "access_key": f"AKID{self.renewals}",
            "secret_key": SECRET_KEY,
            "token": f"{TOKEN}{self.renewals}",
            "expiry_time": (self.now + timedelta(hours=1)).isoformat(),
        }


def session_of(credentials: Any) -> botocore.session.Session:
    """Return a session with these credentials."""
    session = new_session()
    session.register_component("credential_provider", CredentialResolver([Provider(credentials)]))
    return session


@pytest.mark.parametrize("token", [None, TOKEN], ids=["key", "key and session token"])
@pytest.mark.parametrize("path", ["", "/", "/a/prefix", "/a/prefix/", "/sp%20ace/~x"])
@pytest.mark.parametrize("host", ["127.0.0.1", "LocalHost", "localhost."])
def test_the_signature_is_botocores(host: str, path: str, token: str | None) -> None:
    with RecordingServer() as server:
        endpoint = f"http://{host}:{server.port}{path}"
        with connected(endpoint, session_with(ACCESS_KEY, SECRET_KEY, token)) as connections:
            connections.curl.receive_message(QueueUrl="größe", MaxNumberOfMessages=10)
            assert connections.fallback.asked == 0

    (request,) = server.requests
    authorization = request.headers["authorization"]
    url = f"http://{request.headers['host']}{request.target}"
    assert signature_of(request) == signature_by_botocore(request, url, Credentials(ACCESS_KEY, SECRET_KEY, token))
    assert authorization.startswith(
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{request.headers['x-amz-date'][:8]}/{REGION}/sqs/aws4_request, "
    )
    signed_token = ";x-amz-security-token" if token else ""
    assert f"SignedHeaders=content-type;host;x-amz-date{signed_token};x-amz-target," in authorization
    assert request.headers.get("x-amz-security-token") == token


@pytest.mark.parametrize("path", ["", "/", "/a/prefix", "/a/prefix/", "/sp%20ace/~x"])
def test_the_request_is_the_one_that_boto3_sends(path: str) -> None:
    session = session_with(ACCESS_KEY, SECRET_KEY, TOKEN)
    with RecordingServer() as server, connected(f"{server.endpoint}{path}", session) as connections:
        for way in WAYS:
            connections.by(way).receive_message(QueueUrl="größe \U0001f511", MaxNumberOfMessages=10)

    fallback, by_curl = server.requests
    assert (by_curl.method, by_curl.target) == (fallback.method, fallback.target)
    assert json.loads(by_curl.body) == json.loads(fallback.body)
    for name in ("host", "content-type", "x-amz-target", "x-amz-security-token"):
        assert by_curl.headers[name] == fallback.headers[name]
    assert abs(time_of(by_curl) - time_of(fallback)) < timedelta(minutes=1)


def time_of(request: RecordedRequest) -> datetime:
    return datetime.strptime(request.headers["x-amz-date"], "%Y%m%dT%H%M%S%z")


@pytest.mark.parametrize("way", WAYS)
def test_expiring_credentials_are_renewed_between_calls(way: str) -> None:
    renewing = Renewing()
    with RecordingServer() as server, connected(server.endpoint, session_of(renewing.credentials)) as connections:
        for hours in (0, 0, 2, 2):
            renewing.now = START + timedelta(hours=hours)
            connections.by(way).receive_message(QueueUrl="logins")

    tokens = [request.headers["x-amz-security-token"] for request in server.requests]
    keys = [
        request.headers["authorization"].partition("Credential=")[2].partition("/")[0] for request in server.requests
    ]
    assert tokens == [f"{TOKEN}1", f"{TOKEN}1", f"{TOKEN}2", f"{TOKEN}2"]
    assert keys == ["AKID1", "AKID1", "AKID2", "AKID2"]
    assert connections.fallback.asked == 0


def test_many_calls_at_once_renew_credentials_once() -> None:
    renewing = Renewing()
    with RecordingServer() as server, connected(server.endpoint, session_of(renewing.credentials)) as connections:
        renewing.now = START + timedelta(hours=2)
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda _: connections.curl.receive_message(QueueUrl="logins"), range(40)))

    assert renewing.renewals == 2
    assert {request.headers["x-amz-security-token"] for request in server.requests} == {f"{TOKEN}2"}


@pytest.mark.parametrize("way", WAYS)
def test_credentials_that_cannot_be_renewed_are_the_same_error(way: str) -> None:
    renewing = Renewing()
    with RecordingServer() as server, connected(server.endpoint, session_of(renewing.credentials)) as connections:
        renewing.now, renewing.fails = START + timedelta(hours=2), True
        with pytest.raises(QueueUnavailableError) as failed:
            connections.queue(way, "logins").receive(10, 0, 60)

        assert str(failed.value) == "queue logins: SQS did not answer (CredentialRetrievalError)"
        assert server.requests == []
        renewing.fails = False
        assert connections.queue(way, "logins").receive(10, 0, 60) == []


@pytest.mark.parametrize("way", WAYS)
def test_without_credentials_nothing_is_sent(way: str) -> None:
    with RecordingServer() as server, connected(server.endpoint, session_of(None)) as connections:
        end = end_of(lambda queue: queue.receive(10, 0, 60), connections.queue(way, "logins"))

    assert end.startswith("QueueError: queue logins: no AWS credentials (")
    assert server.requests == []


@pytest.mark.parametrize(
    ("access_key", "secret_key", "token"),
    [
        ("AKIDÉ", SECRET_KEY, None),
        (ACCESS_KEY, f"{SECRET_KEY}\u00a0", None),
        (ACCESS_KEY, SECRET_KEY, f"{TOKEN}é"),
        (ACCESS_KEY, SECRET_KEY, f"{TOKEN}\n"),
        (f"{ACCESS_KEY}\r\nX-Injected: yes", SECRET_KEY, None),
        (ACCESS_KEY, SECRET_KEY, f"{TOKEN}\r\nX-Injected: yes"),
    ],
    ids=["key not ASCII", "secret not ASCII", "token not ASCII", "line end", "header in key", "header in token"],
)
def test_mangled_credentials_end_the_same_and_are_not_quoted(
    access_key: str, secret_key: str, token: str | None
) -> None:
    session = session_with(access_key, secret_key, token)
    with RecordingServer() as server, connected(server.endpoint, session) as connections:
        ends = [end_of(lambda queue: queue.receive(10, 0, 60), connections.queue(way, "logins")) for way in WAYS]

    assert ends[0] == ends[1]
    assert not any(secret in ends[1] for secret in (ACCESS_KEY, SECRET_KEY, TOKEN))
    assert all("x-injected" not in request.headers for request in server.requests)


class TestRights:
    """moto with IAM that denies."""

    @pytest.fixture
    def url(self, aws: EmulatedAws) -> str:
        return aws.create_queue(f"rights-{uuid.uuid4().hex}")

    @pytest.mark.parametrize("way", WAYS)
    def test_rightly_signed_calls_are_answered(self, way: str, aws: EmulatedAws, url: str) -> None:
        # AWS takes the right without "Batch" for both.
        rights = ("sqs:ReceiveMessage", "sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibilityBatch")
        session = session_of_user(aws.credentials_for(*rights))
        aws.client("sqs").send_message(QueueUrl=url, MessageBody="one")

        with connected(aws.endpoint, session) as connections, aws.enforcing_permissions():
            queue = connections.queue(way, url)
            (message,) = queue.receive(10, 0, 60)
            receipt = Receipt(message.message_id, message.receipt_handle)
            refusals = queue.extend([receipt], 60) + queue.delete([receipt])

        assert refusals == []
        assert connections.fallback.asked == 0

    @pytest.mark.parametrize("spoils", ["rights", "secret", "key"])
    def test_wrong_ones_are_refused_as_boto3s_are(self, spoils: str, aws: EmulatedAws, url: str) -> None:
        user = aws.credentials_for(*([] if spoils == "rights" else ["sqs:*"]))
        if spoils == "secret":
            user["AWS_SECRET_ACCESS_KEY"] += "x"
        if spoils == "key":
            user["AWS_ACCESS_KEY_ID"] = "AKIANOBODYATALL00000"

        with connected(aws.endpoint, session_of_user(user)) as connections, aws.enforcing_permissions():
            ends = [end_of(lambda queue: queue.receive(10, 0, 60), connections.queue(way, url)) for way in WAYS]

        assert ends[0] == ends[1]
        assert ends[0].startswith("QueueError: queue logins: SQS refuses these credentials (")


def session_of_user(variables: dict[str, str]) -> botocore.session.Session:
    return session_with(variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"])
