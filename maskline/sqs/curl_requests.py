"""How libcurl has to be set for a request to SQS: where to, through which proxy, trusting whom, signed by whom.

Sources: https://curl.se/libcurl/c/CURLOPT_AWS_SIGV4.html,
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from __future__ import annotations

import math
import os
from typing import Any
from urllib.parse import urlsplit

import botocore.session
import msgspec
import pycurl
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import get_cert_path
from botocore.utils import get_environ_proxies

from maskline.sqs.curl_loop import Handle


class UnprintableCredentialsError(Exception):
    """Credentials would be headers of their own, for libcurl sends a line end as one. The message never quotes them."""


class CurlRequests:
    """Makes libcurl's handles for one SQS API, and sets each to one request after another.

    Proxies and certificate authorities are those that boto3 would use.

    Args:
        client: The boto3 SQS client whose endpoint, region and connect time-out are used.
        session: The botocore session that the client was made from.
        answer_seconds: How long a request may keep silent, beyond the time that it asks SQS to wait.
    """

    def __init__(self, client: Any, session: botocore.session.Session, answer_seconds: float) -> None:
        self._url: str = client.meta.endpoint_url
        self._signer = f"aws:amz:{client.meta.region_name}:sqs"
        self._connect_seconds: float = client.meta.config.connect_timeout
        self._answer_seconds = answer_seconds
        self._user_agent = session.user_agent()
        self._proxy = get_environ_proxies(self._url).get(urlsplit(self._url).scheme, "")
        self._ca_bundle = _ca_bundle_path(session)

    def new_handle(self) -> pycurl.Curl:
        """Return a handle with everything set that all requests have in common."""
        handle = pycurl.Curl()
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
            (pycurl.TCP_KEEPALIVE, 1),
            (pycurl.NOSIGNAL, 1),
        ):
            # As bytes, since pycurl takes a str only if it is ASCII, and a path need not be.
            handle.setopt(option, os.fsencode(value) if isinstance(value, str) else value)
        return handle

    def max_seconds(self, wait_seconds: float) -> float:
        """Return how long a request may last altogether.

        Args:
            wait_seconds: How long it asks SQS to wait.
        """
        return self._connect_seconds + wait_seconds + 2 * self._answer_seconds

    def prepare(
        self, handle: Handle, credentials: ReadOnlyCredentials, operation: str, body: bytes, wait_seconds: float
    ) -> None:
        """Set a handle to one request; what it is set to already is not set again.

        Args:
            handle: The handle, which only this sets.
            credentials: Who signs.
            operation: ``ReceiveMessage``, say.
            body: The request in JSON.
            wait_seconds: How long it asks SQS to wait.

        Raises:
            UnicodeEncodeError: The credentials hold what no header can.
            UnprintableCredentialsError: They hold line ends, say.
        """
        settings = (credentials, operation, wait_seconds)
        if handle.settings != settings:
            self._set(handle.curl, *settings)
            handle.settings = settings
        handle.curl.setopt(pycurl.POSTFIELDS, body)

    def _set(self, curl: pycurl.Curl, credentials: ReadOnlyCredentials, operation: str, wait_seconds: float) -> None:
        if not f"{credentials.access_key}{credentials.token}".isprintable():
            raise UnprintableCredentialsError
        headers = [
            "Content-Type: application/x-amz-json-1.0",
            f"X-Amz-Target: AmazonSQS.{operation}",
            "Expect:",  # libcurl would wait for leave to send a body of more than a megabyte
        ]
        if credentials.token:
            headers.append(f"X-Amz-Security-Token: {credentials.token}")
        curl.setopt(pycurl.HTTPHEADER, headers)
        curl.setopt(pycurl.USERNAME, credentials.access_key)
        curl.setopt(pycurl.PASSWORD, credentials.secret_key)
        curl.setopt(pycurl.LOW_SPEED_TIME, math.ceil(wait_seconds + self._answer_seconds))
        curl.setopt(pycurl.TIMEOUT_MS, int(1000 * self.max_seconds(wait_seconds)))


def encode_request(request: dict[str, Any]) -> bytes:
    """Return a request in JSON.

    Raises:
        UnicodeEncodeError: It holds half a surrogate pair.
    """
    return msgspec.json.encode(request)


def _ca_bundle_path(session: botocore.session.Session) -> str:
    named = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return str(named or get_cert_path(True))
