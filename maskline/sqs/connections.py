"""The connections to an SQS API that a process shares: boto3's for everything rare, libcurl's for what is frequent."""

from __future__ import annotations

import threading
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from maskline.logs import silence_wire_logging
from maskline.sqs.curl_transport import CurlTransport

MAX_WAIT_SECONDS = 20
"""SQS's limit of WaitTimeSeconds."""

_shared: dict[tuple[str | None, str | None], tuple[Any, CurlTransport]] = {}
_lock = threading.Lock()


def shared_connections(endpoint: str | None, region: str | None) -> tuple[Any, CurlTransport]:
    """Return a boto3 SQS client, and the frequent calls of the same API; every caller in this process gets the same.

    Args:
        endpoint: The URL of the SQS API, or None for AWS's own.
        region: The AWS region, or None for that of the environment.

    Raises:
        botocore.exceptions.BotoCoreError: There is no region, or the configuration cannot be read or used.
        ValueError: The endpoint is no URL.
    """
    with _lock:
        if (endpoint, region) not in _shared:
            _shared[endpoint, region] = _connect(endpoint, region)
        return _shared[endpoint, region]


def _connect(endpoint: str | None, region: str | None) -> tuple[Any, CurlTransport]:
    silence_wire_logging()
    core = botocore.session.get_session()
    session = boto3.session.Session(botocore_session=core)
    # Only AWS minds which region a request is signed for.
    some_region = (session.region_name or "us-east-1") if endpoint else None
    client = session.client(
        "sqs",
        endpoint_url=endpoint,
        region_name=region or some_region,
        config=Config(
            connect_timeout=5,
            read_timeout=MAX_WAIT_SECONDS + 10,
            max_pool_connections=32,
            retries={"mode": "standard", "max_attempts": 4},
            tcp_keepalive=True,
        ),
    )
    return client, CurlTransport(client, core)
