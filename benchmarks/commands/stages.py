"""Measure the CPU per message of each stage by itself, of the whole job, and so of Beam around them.

Each stage is its own public function, called in this process with the same messages as in the job; the queue is the
stub, so that the client's own cost shows. What the whole job takes beyond the sum of the stages is Beam's: coders,
bundles, metrics, and the batching within a bundle.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from benchmarks.measuring import add_count, add_name, add_sqs, finish, progress_bars, shown_sqs
from benchmarks.messages import logins
from benchmarks.results import Cell, measured
from benchmarks.sqs_requests import preload
from benchmarks.transfer import Load, transfer
from benchmarks.workbench import Workbench
from maskline.keys import open_keyset
from maskline.keys.providers import keyset_provider
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, Receipt, SqsMessage
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.deleter import BatchDeleter
from maskline.sqs.receiver import MicroBatchReceiver, ReceiveSettings
from maskline.streams.decoding import MessageDecoder
from maskline.streams.definition import load_stream
from maskline.streams.masking import MessageMasker

STREAM = load_stream("user_logins")
SETTINGS = ReceiveSettings()

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sqs(parser, default="stub")
    add_count(parser, "messages", 20_000, "how many messages")
    add_count(parser, "runs", 3, "how many runs of which the median counts")
    add_name(parser, "stages")


def main(arguments: argparse.Namespace) -> int:
    """Measure each stage, then the job."""
    load = Load(arguments.messages, options=arguments.job_options)
    runs: list[dict[str, float]] = []
    whole: list[float] = []
    with (
        Workbench(arguments.sqs, load.messages, distance_milliseconds=arguments.distance_milliseconds) as bench,
        progress_bars() as progress,
    ):
        transfer(bench, load, progress, "warming up")
        for number in range(1, arguments.runs + 1):
            runs.append(_measure_stages(bench, load.messages))
            whole.append(transfer(bench, load, progress, f"run {number}").cpu_microseconds_10_to_90)
    stages = {stage: statistics.median(run[stage] for run in runs) for stage in runs[0]}
    total = statistics.median(whole)
    rows: list[list[Cell]] = [[stage, used, _percent(used, total)] for stage, used in stages.items()]
    rest = total - sum(stages.values())
    rows += [["Beam and the rest", rest, _percent(rest, total)], ["the whole job, 10-90 %", total, 100.0]]
    title = f"CPU per message by stage, micro-batches of {SETTINGS.micro_batch_size}, {shown_sqs(arguments)}"
    return finish(measured(arguments.name, title, ["stage", "CPU [µs/message]", "share [%]"], rows))


def _measure_stages(bench: Workbench, count: int) -> dict[str, float]:
    """Return the CPU time of each stage in microseconds per message.

    Args:
        bench: The parts.
        count: How many messages.
    """
    queue_url = bench.new_queue()
    bench.empty_table()
    preload(bench.sqs.endpoint, queue_url, logins(count))
    queue = SqsQueue.open(QueueAddress(queue_url, bench.sqs.endpoint))
    used: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], T]) -> T:
        started = time.process_time()
        result = work()
        used[stage] = (time.process_time() - started) / count * 1e6
        return result

    received = timed("receive", lambda: _receive(queue, count))
    decoder = MessageDecoder(STREAM)
    timed("decode", lambda: [decoder.decode(message.body) for message in received])
    masker = MessageMasker(STREAM, open_keyset(keyset_provider(bench.keyset_uri).fetch()))
    masked = timed("mask", lambda: [masker.mask(message) for message in received])
    used["mask"] -= used["decode"]
    rows = [row for row in masked if isinstance(row, MaskedRow)]
    timed("insert", lambda: _insert(bench, rows))
    receipts = [Receipt(message.message_id, message.receipt_handle) for message in received]
    timed("delete", lambda: _delete(queue, receipts))
    return used


def _percent(part: float, whole: float) -> float:
    return part / whole * 100 if whole else float("nan")  # of few messages the whole is too little to be measured


def _receive(queue: SqsQueue, count: int) -> list[SqsMessage]:
    receiver = MicroBatchReceiver(queue, SETTINGS, threading.Event())
    received: list[SqsMessage] = []
    while len(received) < count:
        received += receiver.receive()
    receiver.close()
    return received


def _insert(bench: Workbench, rows: Sequence[MaskedRow]) -> None:
    writer = BatchWriter(bench.connect, InsertRows(STREAM), 0, threading.Event())
    for batch in _batches(rows):
        writer.write(batch)
    writer.close()


def _delete(queue: SqsQueue, receipts: Sequence[Receipt]) -> None:
    deleter = BatchDeleter(queue, threading.Event())
    for batch in _batches(receipts):
        deleter.start(batch).failures()


def _batches(records: Sequence[T]) -> list[Sequence[T]]:
    return [
        records[start : start + SETTINGS.micro_batch_size]
        for start in range(0, len(records), SETTINGS.micro_batch_size)
    ]
