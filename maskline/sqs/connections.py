"""The connections to an SQS API that a process shares: boto3's for everything rare, libcurl's for what is frequent."""

from __future__ import annotations

import atexit
import os
import threading
from typing import Any

import botocore.session
from botocore.config import Config

from maskline.aws import check_endpoint, environment_region
from maskline.logs import silence_wire_logging
from maskline.sqs.address import CONNECTIONS
from maskline.sqs.curl_transport import CurlTransport

MAX_WAIT_SECONDS = 20
"""SQS's limit of WaitTimeSeconds."""

ANSWER_SECONDS = 10
"""How long SQS may take to answer, beyond the time that a call asks it to wait."""

ATTEMPTS = 3
"""How often boto3 makes a call of those that are made rarely."""

FALLBACK_ATTEMPTS = 2
"""How often boto3 makes a call that libcurl has made in vain; receiving and deleting try again by themselves."""

_shared: dict[tuple[int, str | None, str | None, int], tuple[Any, CurlTransport]] = {}
_lock = threading.Lock()


def shared_connections(
    endpoint: str | None, region: str | None, connections: int = CONNECTIONS
) -> tuple[Any, CurlTransport]:
    """Return the boto3 client of an SQS API and the transport of its frequent calls, which a process shares.

    A process that was forked makes its own. Its parent's stay referenced there and are never used: to close them would
    say goodbye to SQS in the parent's name. A call of the client ends within a minute. (Of a transport, the queue that
    uses it bounds the sum.)

    Args:
        endpoint: The URL of the SQS API, or None for AWS's own.
        region: The AWS region to sign for, or None for that of the environment.
        connections: The most receives under way at the same time, and the most of all other calls together.

    Raises:
        botocore.exceptions.BotoCoreError: There is no region, or the configuration cannot be read or used.
        ValueError: The endpoint is no URL.
    """
    key = (os.getpid(), endpoint, region, connections)
    with _lock:
        if key not in _shared:
            _shared[key] = _connect(endpoint, region, connections)
        return _shared[key]


def _renew_lock() -> None:
    """A thread of the parent's may have held it, and is not there to let it go."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)


@atexit.register
def _close_connections() -> None:
    """End the loops' threads before the interpreter they call into."""
    for (process_id, *_), (_, transport) in _shared.items():
        if process_id == os.getpid():
            transport.close()


def _connect(endpoint: str | None, region: str | None, connections: int) -> tuple[Any, CurlTransport]:
    silence_wire_logging()
    session = botocore.session.get_session()
    # Only AWS minds which region a request is signed for.
    region = region or environment_region() or session.get_config_variable("region")
    region = region or ("us-east-1" if endpoint else None)

    def client(answer_seconds: int, attempts: int) -> Any:
        return session.create_client(
            "sqs",
            endpoint_url=endpoint,
            region_name=region,
            config=Config(
                connect_timeout=5,
                read_timeout=answer_seconds,
                max_pool_connections=32,
                retries={"mode": "standard", "total_max_attempts": attempts},
                tcp_keepalive=True,
                # botocore refuses an endpoint beside settings that would have it choose another.
                **({"use_fips_endpoint": False, "use_dualstack_endpoint": False} if endpoint else {}),
            ),
        )

    # Time-outs are a client's and not a call's, and only a long poll may take as long as one.
    frequent = client(MAX_WAIT_SECONDS + ANSWER_SECONDS, FALLBACK_ATTEMPTS)
    if endpoint is None:  # one that is given was checked with the queue's address
        check_endpoint(frequent)
    return client(ANSWER_SECONDS, ATTEMPTS), CurlTransport(frequent, session, connections)
