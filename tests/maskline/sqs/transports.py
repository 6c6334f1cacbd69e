"""The two ways to make the frequent calls, for tests that hold of both."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypedDict

import botocore.session
import msgspec
from botocore.config import Config
from botocore.loaders import create_loader

from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.curl_transport import CurlTransport
from maskline.sqs.operations import Operation
from maskline.sqs.transports import Boto3Transport, SqsTransport

WAYS = ("boto3", "libcurl")
REGION = "us-east-1"

_one_loader = functools.cache(create_loader)  # it would read the descriptions of the services for every client anew


class CountedClient:
    """A boto3 client that counts the frequent calls it is asked for.

    Args:
        client: The client.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self.meta = client.meta
        self.asked = 0

    def __getattr__(self, operation: str) -> Any:
        def call(**request: Any) -> Any:
            self.asked += 1
            return getattr(self._client, operation)(**request)

        return call


class RawAnswer(TypedDict, total=False):
    """What an answer says, as it says it."""

    Messages: list[dict[str, Any]] | None
    Successful: list[dict[str, Any]] | None
    Failed: list[dict[str, Any]] | None


class RawCalls:
    """A transport's calls by boto3's names, with answers as boto3 returns them.

    Args:
        transport: The transport.
    """

    _RECEIVE = Operation("ReceiveMessage", "receive_message", RawAnswer)
    _DELETE = Operation("DeleteMessageBatch", "delete_message_batch", RawAnswer)
    _EXTEND = Operation("ChangeMessageVisibilityBatch", "change_message_visibility_batch", RawAnswer)

    def __init__(self, transport: SqsTransport) -> None:
        self._transport = transport

    def receive_message(self, **request: Any) -> dict[str, Any]:
        return self._call(self._RECEIVE, request)

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        return self._call(self._DELETE, request)

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        return self._call(self._EXTEND, request)

    def _call(self, operation: Operation[RawAnswer], request: dict[str, Any]) -> dict[str, Any]:
        call = self._transport.submit(operation, request, lambda answer: answer, lambda error: error)
        answer = call.result(timeout=60)
        return {name: value for name, value in answer.items() if value is not None}


class Connections(msgspec.Struct, frozen=True):
    """A boto3 client, and libcurl's calls that fall back on it.

    Attributes:
        client: The client.
        fallback: The same, counting what libcurl leaves to it.
        transport: libcurl's transport.
    """

    client: Any
    fallback: CountedClient
    transport: CurlTransport

    @property
    def curl(self) -> RawCalls:
        """The calls over libcurl."""
        return RawCalls(self.transport)

    def by(self, way: str) -> RawCalls:
        """Return the calls by one of `WAYS`."""
        return RawCalls(self._transport_by(way))

    def _transport_by(self, way: str) -> SqsTransport:
        return Boto3Transport(self.client) if way == "boto3" else self.transport

    def queue(self, way: str, url: str) -> SqsQueue:
        """Return a queue whose frequent calls are made by one of `WAYS`."""
        return SqsQueue(self.client, QueueAddress("logins"), url, self._transport_by(way))


def session_with(access_key: str, secret_key: str, token: str | None = None) -> botocore.session.Session:
    """Return a botocore session with credentials."""
    session = new_session()
    session.set_credentials(access_key, secret_key, token)
    return session


def new_session() -> botocore.session.Session:
    """Return a botocore session that has its credentials from the environment."""
    session = botocore.session.Session()
    session.register_component("data_loader", _one_loader())
    return session


@contextmanager
def connected(
    endpoint: str | None,
    session: botocore.session.Session | None = None,
    attempts: int = 1,
    seconds: float = 30,
    connect_seconds: float = 5,
    connections: int = 32,
) -> Iterator[Connections]:
    """Connect both ways to an SQS API.

    Args:
        endpoint: Its URL, or None for AWS's own.
        session: Where credentials are from; any credentials if None.
        attempts: How often boto3 asks at most.
        seconds: How long an answer may keep silent.
        connect_seconds: How long connecting may take.
        connections: How many receives libcurl may have under way.
    """
    session = session or session_with(CREDENTIALS["AWS_ACCESS_KEY_ID"], CREDENTIALS["AWS_SECRET_ACCESS_KEY"])
    retries = {"mode": "standard", "total_max_attempts": attempts}
    config = Config(connect_timeout=connect_seconds, read_timeout=seconds, retries=retries, max_pool_connections=32)
    client = session.create_client("sqs", region_name=REGION, endpoint_url=endpoint, config=config)
    fallback = CountedClient(client)
    transport = CurlTransport(fallback, session, connections=connections, answer_seconds=seconds)
    try:
        yield Connections(client, fallback, transport)
    finally:
        transport.close()
        client.close()


def end_of(call: Callable[[SqsQueue], object], queue: SqsQueue) -> str:
    """Return what a call brings, or how it fails: by which error, saying what."""
    try:
        return f"brings {call(queue)}"
    except Exception as error:
        return f"{type(error).__name__}: {error}"
