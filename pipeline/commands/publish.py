"""Publish to the data lake what was committed since the last time, once, as a copy of tokens and a copy in clear.

Either copy can be published alone. The clear copy is unmasked with the keyset on the way, has credentials of its own,
and every publication of it is entered in pii_access_log first. Takes the role maskline_publisher. It can be stopped or
killed at any time, and several may run at once: no row is missed and none doubled.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import threading
import time
from collections.abc import Sequence

from rich.console import Console

from maskline.errors import UsageError
from maskline.lake.copies import Copy
from maskline.lake.files import FileSize
from maskline.lake.policies import bucket_policy, key_policy, reader_policy
from maskline.lake.publisher import Publisher
from maskline.lake.table import LakeTable
from maskline.pipeline.lake_options import add_lake, check_copies_apart, lake_tables, masker_for, row_source
from maskline.pipeline.options import Options
from maskline.pipeline.printing import echo
from maskline.pipeline.progress import showing_rows
from maskline.pipeline.stopping import STOPPED_EXIT_CODE, in_another_thread, stopping_on_signals
from maskline.streams.definition import load_stream


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()
    add_lake(options)
    size = FileSize()
    options.add("rows_per_file", "most rows of a file (%(default)s)", type=int, default=size.rows, metavar="N")
    options.add("follow", "go on publishing until Ctrl-C", action="store_true")
    options.add("interval", "seconds between publications (%(default)s)", type=float, default=60.0, metavar="SECONDS")
    parser.add_argument(
        "--print_policy",
        metavar="READER_ARN",
        help="publish nothing; print the least that a subscriber of each copy has to be allowed in AWS",
    )


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Publish, once or until stopped."""
    if not arguments.interval > 0:
        raise UsageError(f"interval is {arguments.interval}; it must be more than 0 seconds")
    size = FileSize(rows=arguments.rows_per_file)
    stream = load_stream(arguments.stream)
    tables = lake_tables(arguments, stream)
    if arguments.print_policy:
        _print_policies(tables, arguments.print_policy)
        return 0
    check_copies_apart(tables)
    with stopping_on_signals() as stopping, contextlib.ExitStack() as opened:
        publishers = []
        for table in tables:
            source = opened.enter_context(contextlib.closing(row_source(arguments, stream)))
            masker = masker_for(arguments, table.copy)
            publishers.append((table, Publisher(source, table, masker, size=size, stopping=stopping)))
        if arguments.follow:
            places = " and ".join(table.uri for table in tables)
            echo(f"Publishing to {places} every {arguments.interval:g} seconds. Ctrl-C stops.")
        work = functools.partial(_publish, publishers, stopping, arguments.interval if arguments.follow else None)
        in_another_thread(work)
        return STOPPED_EXIT_CODE if stopping.is_set() and not arguments.follow else 0


def _publish(publishers: list[tuple[LakeTable, Publisher]], stopping: threading.Event, interval: float | None) -> int:
    while True:
        for table, publisher in publishers:
            _publish_once(table, publisher, is_following=interval is not None)
        if interval is None or stopping.wait(interval):
            return 0


def _publish_once(table: LakeTable, publisher: Publisher, *, is_following: bool) -> None:
    started = time.monotonic()
    rows = files = 0
    with showing_rows(publisher.waiting_rows(), Console(stderr=True)) as advance:
        for publication in publisher.publish(advance):
            rows += publication.rows
            files += publication.files
    if rows or not is_following:
        rate = f" in {files:,} files ({rows / max(time.monotonic() - started, 0.001):,.0f} rows/s)" if rows else ""
        echo(f"{table.copy.value}: {rows:,} rows published to {table.uri}{rate}.")


def _print_policies(tables: list[LakeTable], reader: str) -> None:
    policies: dict[str, object] = {}
    for table in tables:
        own = {
            "bucket": bucket_policy(table.storage, reader),
            "identity, for a reader of the same account": reader_policy(table.storage),
        }
        if table.storage.kms_key or table.copy is Copy.CLEARTEXT:
            own["key"] = key_policy(table.storage, reader)
        policies[f"{table.copy.value} copy at {table.uri}"] = own
    print(json.dumps(policies, indent=2))  # noqa: T201
