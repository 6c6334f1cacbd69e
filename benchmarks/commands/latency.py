"""Measure how long it takes from the send of a message to its visible row, at a steady rate.

Messages are sent one at a time, each at its time, while the job streams. A latency ends when another session of the
database sees the row; it looks every 5 ms, and so no figure is more exact than that. The messages of the first seconds
do not count. The producer's own request is part of the latency.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.consumers import Consumers
from benchmarks.measuring import add_command, add_count, add_name, add_sqs, finish, progress_bars, shown_sqs
from benchmarks.percentiles import Latencies
from benchmarks.results import measured
from benchmarks.steady_sending import send_steadily
from benchmarks.table_watch import TableWatch
from benchmarks.transfer import Load
from benchmarks.workbench import TABLE, Workbench

LOOK_SECONDS = 0.005
FIRST_ROW_SECONDS = 60
PERCENTILES = (50, 90, 99, 99.9, 100)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_sqs(parser)
    add_count(parser, "rate", 100, "how many messages are sent a second")
    add_count(parser, "seconds", 60, "for how long")
    add_count(parser, "warm_up_seconds", 10, "for how long before, without counting")
    add_count(parser, "jobs", 1, "how many jobs read the queue side by side")
    add_command(parser)
    add_name(parser, "latency")


def main(arguments: argparse.Namespace) -> int:
    """Send, wait for the rows, and show the percentiles."""
    warm_up = arguments.rate * arguments.warm_up_seconds
    total = warm_up + arguments.rate * arguments.seconds
    load = Load(total, jobs=arguments.jobs, options=arguments.job_options, command=arguments.command)
    with Workbench(arguments.sqs, distance_milliseconds=arguments.distance_milliseconds) as bench:
        latencies = measure(bench, load, arguments.rate, warm_up)
    title = f"Latency of {arguments.label} at {arguments.rate:,} messages/s, {shown_sqs(arguments)}"
    columns = ["messages", *(f"p{percentile:g} [ms]" for percentile in PERCENTILES[:-1]), "most [ms]"]
    rows = [[total - warm_up, *map(latencies.milliseconds, PERCENTILES)]]
    return finish(measured(arguments.name, title, columns, rows, {"latency": latencies.curve()}))


def measure(bench: Workbench, load: Load, rate: int, warm_up: int) -> Latencies:
    """Send to a running program, and return the latencies of all but the first messages.

    Args:
        bench: The parts.
        load: How many messages, and what handles them.
        rate: How many are sent a second.
        warm_up: How many of them do not count.

    Raises:
        ConsumerFailedError: The program failed, or messages did not become rows.
    """
    queue_url = bench.new_queue()
    bench.empty_table()
    with Consumers(load.commands(bench, queue_url), bench.environment(queue_url)) as consumers:
        with TableWatch(bench.connect, TABLE, LOOK_SECONDS) as watch, progress_bars() as progress:
            send_steadily(bench.sqs.endpoint, queue_url, range(1), rate)
            _wait_for(consumers, watch, 1)
            task = progress.add_task("sending", total=load.messages)
            sent_at = send_steadily(
                bench.sqs.endpoint, queue_url, range(1, load.messages + 1), rate, lambda: progress.advance(task)
            )
            _wait_for(consumers, watch, load.messages + 1)
        consumers.stop()
        visible_at = watch.arrivals_by("user_id")
    return Latencies(visible_at[user] - at for user, at in list(sent_at.items())[warm_up:])


def _wait_for(consumers: Consumers, watch: TableWatch, rows: int) -> None:
    give_up = time.monotonic() + FIRST_ROW_SECONDS
    while watch.rows < rows:
        if consumers.have_ended or time.monotonic() > give_up:
            raise consumers.gave_up(f"{rows - watch.rows:,} messages did not become rows")
        time.sleep(0.05)
