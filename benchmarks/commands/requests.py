"""Measure how many requests a message costs, over the rate at which messages come.

SQS bills requests, empty receives included. The queue is the stub at the distance that SQS has in its region.
"""

from __future__ import annotations

import argparse
import math
import os
import threading
import time
from collections import Counter

from benchmarks.measuring import add_count, add_name, finish
from benchmarks.messages import logins
from benchmarks.results import Cell, measured
from benchmarks.servers.stub import StubSqs
from benchmarks.sqs_requests import MAX_ENTRIES, SqsRequests
from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.records import Receipt
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.connections import shared_connections
from maskline.sqs.deleter import BatchDeleter
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings

RATES = (1, 100, 10_000)
MAX_RATE_PER_SENDER = 500
"""Messages per second over one connection: it is as far from the queue as we are."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--rates", type=int, nargs="+", default=RATES, metavar="N", help="messages per second (%(default)s)"
    )
    add_count(parser, "distance_milliseconds", 10, "how long an answer takes")
    add_count(parser, "seconds", 10, "how long messages come at each rate")
    add_name(parser, "requests")


def main(arguments: argparse.Namespace) -> int:
    """Try each rate."""
    os.environ.update(CREDENTIALS)
    rows: list[list[Cell]] = []
    for rate in arguments.rates:
        count = rate * arguments.seconds
        requests = _requests_at(rate, count, arguments.distance_milliseconds)
        receives, deletes = requests["ReceiveMessage"] / count, requests["DeleteMessageBatch"] / count
        rows.append([rate, receives, deletes, requests.total() / count])
    columns = ["messages/s", "receives/message", "deletes/message", "requests/message"]
    return finish(measured(arguments.name, "Requests for each message over the rate of messages", columns, rows))


def _requests_at(rate: int, count: int, distance_milliseconds: int) -> Counter[str]:
    """Return how many requests it took to receive and delete messages that came at a steady rate.

    Args:
        rate: Messages per second.
        count: How many.
        distance_milliseconds: How long an answer of the queue takes.
    """
    with StubSqs(distance_milliseconds) as stub:
        url = stub.create_queue("queue")
        queue = SqsQueue.open(QueueAddress(url, stub.endpoint))
        stopping = threading.Event()
        receiver, deleter = MicroBatchReceiver(queue, ReceiveSettings(), stopping), BatchDeleter(queue, stopping)
        senders = math.ceil(rate / MAX_RATE_PER_SENDER)
        share = (stub, url, rate / senders, count // senders)
        threads = [threading.Thread(target=_send, args=share, daemon=True) for _ in range(senders)]
        for thread in threads:
            thread.start()
        received = 0
        while received < count // senders * senders:
            messages = receiver.receive()
            received += len(messages)
            deleter.start([Receipt(message.message_id, message.receipt_handle) for message in messages]).failures()
        receiver.close()
        return Counter(shared_connections(stub.endpoint, None)[1].requests)


def _send(stub: StubSqs, url: str, rate: float, count: int) -> None:
    """Send messages, as many a request as are due every 5 ms and one at least."""
    bodies = list(logins(count))
    began_at = time.monotonic()
    sent = 0
    with SqsRequests(stub.endpoint) as requests:
        while sent < count:
            due = min(count, int((time.monotonic() - began_at) * rate) + 1) - sent
            if due:
                requests.send(url, bodies[sent : sent + min(due, MAX_ENTRIES)])
                sent += min(due, MAX_ENTRIES)
            else:
                time.sleep(0.005)
