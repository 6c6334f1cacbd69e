"""Where a queue is."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from maskline.aws import HOST_SUFFIXES, partition_of
from maskline.errors import ArgumentError
from maskline.plaintext import is_plaintext_beyond_loopback

_URL = re.compile(r"(?P<authority>https?://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/:\[\]]+)(:\d+)?)/([^/]+/)*(?P<name>[^/]+)/?")
_CREDENTIALS = re.compile(r"[^?#]*@|.*[?&](X-Amz-|AWSAccessKeyId=|Signature=)", re.DOTALL | re.IGNORECASE)
"""What may be credentials: whatever stands before an ``@``, and the query of a signed URL."""

_ENDPOINT = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[^\s?#]*)?")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}(\.fifo)?")
_AWS_SUFFIX = rf"(vpce\.)?({'|'.join(map(re.escape, HOST_SUFFIXES))})"
_AWS_HOST = re.compile(rf"(vpce-[a-z0-9-]+\.)?sqs(-fips)?\.(?P<region>[a-z0-9-]+)\.{_AWS_SUFFIX}")
_LEGACY_AWS_HOST = re.compile(r"(?P<region>[a-z0-9-]+)\.queue\.amazonaws\.com(\.cn)?|queue\.amazonaws\.com")

_LEGACY_REGION = "us-east-1"
"""What ``queue.amazonaws.com`` stands for."""

_ACCOUNT = re.compile(r"[0-9]{12}")

CONNECTIONS = 128
"""So many receives of ten messages bring 25,600 a second from 50 ms away, more than one process masks."""

MAX_CONNECTIONS = 1_000


class QueueAddress(msgspec.Struct, frozen=True):
    """A queue by URL or name, and the endpoint to find it at.

    Attributes:
        queue: The queue's URL, or its name in the account and region of the credentials.
        endpoint: The URL of the SQS API, or None. A queue's URL says it, too; a name leaves it to AWS's own settings.
        connections: The most receives that a process has under way at the same time, 1 to 1,000, and the most of all
            other calls together. How many there are follows what the answers bring.
        allow_plaintext_endpoint: Whether ``http://`` may lead off this machine, with messages in clear for the network
            to read.
    """

    queue: str
    endpoint: str | None = None
    connections: int = CONNECTIONS
    allow_plaintext_endpoint: bool = False

    def __post_init__(self) -> None:
        """Check the form.

        Raises:
            ArgumentError: It is neither a URL nor a name, the connections are out of range, its URL holds credentials,
                or it would be called in clear over the network.
        """
        if not 1 <= self.connections <= MAX_CONNECTIONS:
            raise ArgumentError(f"connections is {self.connections}; it must be from 1 to {MAX_CONNECTIONS}")
        for parameter, text in (("queue", self.queue), ("endpoint", self.endpoint or "")):
            if _CREDENTIALS.match(text):
                raise ArgumentError(
                    f"{parameter}: a URL with credentials is not taken; AWS's own settings hold them (AWS_PROFILE, "
                    "AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY, or a role)"
                )
        if self.endpoint is not None and not _ENDPOINT.fullmatch(self.endpoint):
            raise ArgumentError(f"endpoint {self.endpoint!r}: give a URL like http://127.0.0.1:9324")
        if self.queue.startswith("arn:"):
            raise ArgumentError(
                f"queue {self.queue!r}: is an ARN; give the queue's name or its URL{_url_of(self.queue)}"
            )
        if not _NAME.fullmatch(self.name):
            raise ArgumentError(f"queue {self.queue!r}: give a queue's URL or its name")
        endpoint = self.service_endpoint
        if endpoint and is_plaintext_beyond_loopback(endpoint) and not self.allow_plaintext_endpoint:
            raise ArgumentError(
                f"{'endpoint' if self.endpoint else 'queue'} {endpoint}: http:// would carry messages in clear over "
                "the network; give https://, or allow it by name: allow_plaintext_endpoint"
            )

    @property
    def name(self) -> str:
        """The queue's name, the last part of its URL."""
        match = _URL.fullmatch(self.queue)
        return match["name"] if match else self.queue

    @property
    def is_fifo(self) -> bool:
        """Whether it is a FIFO queue. Its messages have groups, and it delivers those of a group one batch at a time.

        Source: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/FIFO-queues-understanding-logic.html
        """
        return self.name.endswith(".fifo")

    @property
    def is_url(self) -> bool:
        """Whether the queue is given by its URL."""
        return "://" in self.queue

    @property
    def service_endpoint(self) -> str | None:
        """The SQS API to call: the one given, or that of the queue's URL; None if there is neither.

        A URL is called as it stands, whatever the environment says: the host of a VPC endpoint, of FIPS or of IPv6 is
        there for a reason.
        """
        match = _URL.fullmatch(self.queue)
        return self.queue[: match.end("authority")] if match and not self.endpoint else self.endpoint

    @property
    def region(self) -> str | None:
        """The AWS region that the URL names, or else the endpoint, or None.

        Sources: https://docs.aws.amazon.com/general/latest/gr/sqs-service.html,
        https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-internetwork-traffic-privacy.html
        """
        return self._url_region or _region_of(urlsplit(self.endpoint or "").hostname or "")

    @property
    def account(self) -> str | None:
        """The AWS account that the URL names, or None."""
        parts = self.queue.rstrip("/").split("/")
        return parts[-2] if self._url_region and _ACCOUNT.fullmatch(parts[-2]) else None

    @property
    def arn(self) -> str | None:
        """The queue's ARN, or None where its URL does not say all of it, so that SQS has to be asked."""
        if self._url_region is None or self.account is None:
            return None
        return f"arn:{partition_of(self._url_region)}:sqs:{self._url_region}:{self.account}:{self.name}"

    @property
    def _url_region(self) -> str | None:
        match = _URL.fullmatch(self.queue)
        return _region_of(match["host"]) if match else None

    def __str__(self) -> str:
        """The queue, and its endpoint where it is not AWS's, nor that of its URL."""
        is_elsewhere = self.endpoint and not self.queue.startswith(f"{self.endpoint.rstrip('/')}/")
        return f"{self.queue} at {self.endpoint}" if is_elsewhere else self.queue


def _region_of(host: str) -> str | None:
    name = host.lower()
    if match := _AWS_HOST.fullmatch(name):
        return match["region"]
    legacy = _LEGACY_AWS_HOST.fullmatch(name)
    return (legacy["region"] or _LEGACY_REGION) if legacy else None


def _url_of(arn: str) -> str:
    """Return the URL of the queue that an ARN names, to end a sentence with; nothing outside the partition ``aws``."""
    parts = arn.split(":")
    if len(parts) != 6 or parts[:3] != ["arn", "aws", "sqs"]:
        return ""
    return f", https://sqs.{parts[3]}.amazonaws.com/{parts[4]}/{parts[5]}"
