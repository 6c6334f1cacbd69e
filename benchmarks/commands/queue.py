"""Measure what receiving and deleting take by themselves, over the distance of the queue.

The queue is the stub, whose answers take as long as the distance says; there is no masking, no database and no Beam.
The number of requests shows what SQS would bill.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time

import msgspec

from benchmarks.measuring import add_count, add_name, finish
from benchmarks.messages import logins
from benchmarks.results import Cell, measured
from benchmarks.servers.stub import StubSqs
from benchmarks.sqs_requests import preload
from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.records import Receipt
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.connections import shared_connections
from maskline.sqs.deleter import BatchDeleter, Deletion
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings

DISTANCES = (0, 10, 50)


class _Emptied(msgspec.Struct, frozen=True):
    """How a queue was emptied.

    Attributes:
        messages_per_second: Received and deleted.
        cpu_microseconds: CPU of this process for each message.
        requests: Requests for each message.
    """

    messages_per_second: float
    cpu_microseconds: float
    requests: float


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--distance_milliseconds",
        type=int,
        nargs="+",
        default=DISTANCES,
        metavar="N",
        help="how long an answer takes (%(default)s)",
    )
    add_count(parser, "messages", 20_000, "how many messages")
    add_count(parser, "runs", 3, "how many runs of which the middle counts")
    add_name(parser, "queue")


def main(arguments: argparse.Namespace) -> int:
    """Empty a queue at each distance, run by run, so that what else the machine does meets all of them."""
    os.environ.update(CREDENTIALS)
    runs: dict[int, list[_Emptied]] = {distance: [] for distance in arguments.distance_milliseconds}
    for _ in range(arguments.runs):
        for distance, emptied in runs.items():
            emptied.append(_empty_queue(distance, arguments.messages))
    rows: list[list[Cell]] = [
        [
            distance,
            statistics.median(run.messages_per_second for run in emptied),
            statistics.median(run.cpu_microseconds for run in emptied),
            statistics.median(run.requests for run in emptied),
        ]
        for distance, emptied in runs.items()
    ]
    columns = ["distance [ms]", "messages/s", "CPU [µs/message]", "requests/message"]
    return finish(measured(arguments.name, "Receiving and deleting over the distance of the queue", columns, rows))


def _empty_queue(distance_milliseconds: int, count: int) -> _Emptied:
    """Receive and delete messages in micro-batches, each deleted while the next one is received.

    Args:
        distance_milliseconds: How long an answer of the queue takes.
        count: How many messages.
    """
    with StubSqs(distance_milliseconds) as stub:
        url = stub.create_queue("queue")
        preload(stub.endpoint, url, logins(count))
        queue = SqsQueue.open(QueueAddress(url, stub.endpoint))
        stopping = threading.Event()
        receiver, deleter = MicroBatchReceiver(queue, ReceiveSettings(), stopping), BatchDeleter(queue, stopping)
        deletion: Deletion | None = None
        received = 0
        began_at, cpu_before = time.monotonic(), time.process_time()
        while received < count:
            messages = receiver.receive()
            received += len(messages)
            if deletion is not None:
                deletion.failures()
            deletion = deleter.start([Receipt(message.message_id, message.receipt_handle) for message in messages])
        if deletion is not None:
            deletion.failures()
        seconds, cpu_seconds = time.monotonic() - began_at, time.process_time() - cpu_before
        receiver.close()
        requests = shared_connections(stub.endpoint, None)[1].requests.total()
        return _Emptied(count / seconds, cpu_seconds / count * 1e6, requests / count)
