"""The three SQS calls that a job makes all the time, over libcurl; everything else, and every failure, is boto3's.

boto3 spends about a millisecond of CPU on a call, most of it on checking, serializing and signing in Python. libcurl
sends, signs and receives the same call in 30 µs.

Sources: https://curl.se/libcurl/c/CURLOPT_AWS_SIGV4.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, TypedDict
from urllib.parse import urlsplit

import botocore.session
import msgspec
import pycurl
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

logger = logging.getLogger(__name__)


class SqsTransport(Protocol):
    """What makes up nearly all requests of a job, by boto3's names; a boto3 SQS client is one, too."""

    def receive_message(self, **request: Any) -> dict[str, Any]:
        """Receive up to ten messages."""

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        """Delete up to ten deliveries."""

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        """Set the visibility time-out of up to ten deliveries anew."""


class CurlTransport:
    """The frequent calls over kept-alive connections of libcurl. Thread-safe: a call has a connection to itself.

    *Guarantee*: it answers as boto3 does, and it raises what boto3 raises. A call that does not succeed at once,
    whatever the reason, is made by boto3, which decides by AWS's standard rules whether to try it again. So SQS may see
    one attempt more than boto3 alone would make; the errors and the back-off are boto3's own.

    An answer has no ``ResponseMetadata``, and binary message attributes, which the job never asks for, stay in base64.

    Credentials are botocore's, asked for at every call, so that those which expire are refreshed in time. Proxies and
    certificate authorities are those that boto3 would use.

    Args:
        client: The boto3 SQS client whose endpoint, region and time-outs are used, and which is fallen back on.
        session: The botocore session that the client was made from.
    """

    def __init__(self, client: Any, session: botocore.session.Session) -> None:
        self._client = client
        self._credentials = session.get_credentials()
        self._url = client.meta.endpoint_url
        self._signer = f"aws:amz:{client.meta.region_name}:sqs"
        self._connect_seconds: float = client.meta.config.connect_timeout
        self._read_timeout: float = client.meta.config.read_timeout
        self._user_agent = session.user_agent()
        self._proxy = get_environ_proxies(self._url).get(urlsplit(self._url).scheme, "")
        self._ca_bundle = _ca_bundle_path(session)
        self._idle: deque[pycurl.Curl] = deque()

    def receive_message(self, **request: Any) -> dict[str, Any]:
        """Receive up to ten messages."""
        return self._call("ReceiveMessage", request, self._client.receive_message)

    def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        """Delete up to ten deliveries."""
        return self._call("DeleteMessageBatch", request, self._client.delete_message_batch)

    def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        """Set the visibility time-out of up to ten deliveries anew."""
        return self._call("ChangeMessageVisibilityBatch", request, self._client.change_message_visibility_batch)

    def close(self) -> None:
        """Close the connections that no call is using."""
        while connection := self._idle_connection():
            connection.close()

    def _call(self, operation: str, request: dict[str, Any], fallback: Callable[..., dict[str, Any]]) -> dict[str, Any]:
        try:
            return self._answer(operation, request)
        except _TransportError as error:
            logger.debug("%s goes by way of boto3: %s", operation, error)
        return fallback(**request)

    def _answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        credentials = self._credentials_now()
        connection = self._idle_connection() or self._new_connection()
        try:
            _sign_as(connection, credentials, operation)
            connection.setopt(pycurl.POSTFIELDS, msgspec.json.encode(request))
            body = connection.perform_rb()
            status = connection.getinfo(pycurl.RESPONSE_CODE)
        except pycurl.error as error:
            connection.close()
            raise _TransportError(f"libcurl error {error.args[0]}") from None
        except UnicodeEncodeError:  # its text would quote the request or the credentials
            connection.close()
            raise _TransportError("the request cannot be written") from None
        self._idle.append(connection)
        if status != 200:
            raise _TransportError(f"HTTP status {status}")
        return _parsed(body)

    def _credentials_now(self) -> ReadOnlyCredentials:
        if self._credentials is None:
            raise _TransportError("no credentials")
        credentials = self._credentials.get_frozen_credentials()
        if not f"{credentials.access_key}{credentials.token}".isprintable():
            raise _TransportError("credentials that would be headers of their own")  # libcurl sends line ends as such
        return credentials

    def _idle_connection(self) -> pycurl.Curl | None:
        try:
            return self._idle.pop()
        except IndexError:  # asking first would not do: another thread may take the last one in between
            return None

    def _new_connection(self) -> pycurl.Curl:
        connection = pycurl.Curl()
        for option, value in (
            (pycurl.URL, self._url),
            (pycurl.POST, 1),
            (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
            (pycurl.AWS_SIGV4, self._signer),
            (pycurl.USERAGENT, self._user_agent),
            (pycurl.PROXY, self._proxy),
            (pycurl.NOPROXY, ""),
            (pycurl.CAINFO, self._ca_bundle),
            (pycurl.CONNECTTIMEOUT_MS, int(1000 * self._connect_seconds)),
            (pycurl.LOW_SPEED_LIMIT, 1),
            (pycurl.LOW_SPEED_TIME, math.ceil(self._read_timeout)),
            (pycurl.TIMEOUT_MS, int(1000 * (self._connect_seconds + 2 * self._read_timeout))),
            (pycurl.TCP_KEEPALIVE, 1),
            (pycurl.NOSIGNAL, 1),
        ):
            # As bytes, since pycurl takes a str only if it is ASCII, and a path need not be.
            connection.setopt(option, os.fsencode(value) if isinstance(value, str) else value)
        return connection


class _TransportError(Exception):
    """A call did not succeed at once. It never leaves this module, and never quotes a request or an answer."""


class _Answer(TypedDict, total=False):
    """What boto3 takes from the answers to the frequent calls; it leaves out what is null or not known to it."""

    Messages: list[dict[str, Any]] | None
    Successful: list[dict[str, Any]] | None
    Failed: list[dict[str, Any]] | None


_decode = msgspec.json.Decoder(_Answer).decode


def _sign_as(connection: pycurl.Curl, credentials: ReadOnlyCredentials, operation: str) -> None:
    headers = [
        "Content-Type: application/x-amz-json-1.0",
        f"X-Amz-Target: AmazonSQS.{operation}",
        "Expect:",  # libcurl would wait for leave to send a body of more than a megabyte
    ]
    if credentials.token:
        headers.append(f"X-Amz-Security-Token: {credentials.token}")
    connection.setopt(pycurl.HTTPHEADER, headers)
    connection.setopt(pycurl.USERNAME, credentials.access_key)
    connection.setopt(pycurl.PASSWORD, credentials.secret_key)


def _parsed(body: bytes) -> dict[str, Any]:
    answer = _decoded(body)
    return {name: value for name, value in answer.items() if value is not None}


def _decoded(body: bytes) -> _Answer:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        # Half a surrogate pair is no JSON to msgspec, but it is to boto3, and the messages beside it were received.
        return msgspec.convert(json.loads(body.decode()), _Answer)
    except (ValueError, msgspec.ValidationError):
        raise _TransportError("the answer is none of SQS's") from None


def _ca_bundle_path(session: botocore.session.Session) -> str:
    named = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return str(named or get_cert_path(True))
