"""What boto3 may take for a call in all, when the other end acknowledges everything and never answers."""

from __future__ import annotations

import logging
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from maskline.aws import open_client
from maskline.sqs import SqsQueue
from maskline.sqs.address import QueueAddress
from maskline.sqs.connections import shared_connections
from tests.awaiting import await_until
from tests.faults.tcp_proxy import TcpProxy, tcp_connection

MAX_CALL_SECONDS = 60


def longest(client: object) -> float:
    """Return how long a call of a client may take, but for the pauses between its tries."""
    config = client.meta.config  # type: ignore[attr-defined]
    return float(config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout))


def test_a_rare_call_to_sqs_ends_within_a_minute(queue_address: QueueAddress) -> None:
    client, _ = shared_connections(queue_address.service_endpoint, queue_address.region)

    assert longest(client) < MAX_CALL_SECONDS


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("service", ["kms", "s3", "secretsmanager"])
def test_a_call_for_a_keyset_ends_within_a_minute(service: str) -> None:
    assert longest(open_client(service, None)) < MAX_CALL_SECONDS


def test_an_answer_of_sqs_that_takes_long_is_said_while_it_is_waited_for(
    queue: SqsQueue, queue_address: QueueAddress, caplog: pytest.LogCaptureFixture
) -> None:
    with TcpProxy(lambda: tcp_connection(str(queue_address.service_endpoint))) as line, ThreadPoolExecutor(1) as thread:
        asked = f"http://127.0.0.1:{line.port}"
        said = re.compile(rf"queue {re.escape(queue.url)} at {asked}: an answer of SQS has taken [5-9] s so far")
        through = SqsQueue.open(QueueAddress(queue.url, asked))
        line.hang()
        with caplog.at_level(logging.WARNING):
            depth = thread.submit(through.depth)
            await_until(lambda: any(map(said.fullmatch, caplog.messages)), "the log says so", seconds=30)
        line.resume()

        assert depth.result(30).total == 0
