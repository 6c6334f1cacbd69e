"""Publish to the data lake what was committed since the last time, once, as a copy of tokens and a copy in clear.

One copy can be published without the other. The clear copy is unmasked with the keyset on the way, has credentials of
its own, and every publication of it is entered in pii_access_log first. Takes the role maskline_publisher. It can be
stopped or killed at any time, and several may run at once: no row is missed and none doubled.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import threading
import time
from typing import Any

from maskline.errors import UsageError
from maskline.lake.copies import Copy
from maskline.lake.files import FileSize
from maskline.lake.policies import bucket_policy, key_policy, reader_policy
from maskline.lake.publisher import Publication, Publisher
from maskline.lake.row_batches import Oddities
from maskline.lake.table import LakeTable
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.commands.lake.oddities import echo_oddities
from maskline.pipeline.lake_options import add_lake, check_copies_apart, lake_tables, masker_for, row_source
from maskline.pipeline.options import Options, naming_options
from maskline.pipeline.printing import echo
from maskline.pipeline.program import program_name
from maskline.pipeline.progress import showing_rows
from maskline.pipeline.screen import open_screen
from maskline.pipeline.stopping import STOPPED_EXIT_CODE, BackgroundWork, stopping_on_signals
from maskline.streams.definition import load_stream


def add_actions(actions: Any) -> None:
    """Add the action to the parser of the command."""
    publishing = add_action(
        actions, "publish", "publish what was committed since the last time, as tokens and in clear", _publish
    )
    options = Options(publishing)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()
    add_lake(options)
    size = FileSize()
    options.add("rows_per_file", "most rows of a file (%(default)s)", type=int, default=size.rows_per_file, metavar="N")
    options.add("follow", "go on publishing until Ctrl-C", action="store_true")
    options.add(
        "interval_seconds",
        "with --follow: from the end of a publication to the next (%(default)s)",
        former="interval",
        former_variable="MASKLINE_INTERVAL",
        type=float,
        default=60.0,
        metavar="SECONDS",
    )
    options.add(
        "print_policy",
        "publish nothing; print the least that a subscriber of each copy has to be allowed in AWS",
        metavar="READER_ARN",
    )


def _publish(arguments: argparse.Namespace) -> int:
    interval_seconds: float = arguments.interval_seconds
    if not interval_seconds > 0:
        raise UsageError(f"interval_seconds is {interval_seconds}; it must be more than 0")
    size = FileSize(rows_per_file=arguments.rows_per_file)
    stream = load_stream(arguments.stream)
    tables = lake_tables(arguments, stream)
    if arguments.print_policy:
        with naming_options(reader="print_policy"):
            _print_policies(tables, arguments.print_policy)
        return 0
    check_copies_apart(tables)
    stopping = threading.Event()
    with stopping_on_signals(stopping, open_screen(stderr=True)), contextlib.ExitStack() as opened:
        publishers = []
        for table in tables:
            source = opened.enter_context(contextlib.closing(row_source(arguments, stream)))
            masker = masker_for(arguments, table.copy)
            publishers.append((table, Publisher(source, table, masker, size=size, stopping=stopping)))
        if arguments.follow:
            places = " and ".join(table.uri for table in tables)
            echo(f"Publishing to {places} every {interval_seconds:g} seconds. Ctrl-C stops.")
        pause = interval_seconds if arguments.follow else None
        BackgroundWork(functools.partial(_publish_all, publishers, stopping, pause), "publish").result()
        return STOPPED_EXIT_CODE if stopping.is_set() and not arguments.follow else 0


def _publish_all(publishers: list[tuple[LakeTable, Publisher]], stopping: threading.Event, pause: float | None) -> None:
    while True:
        for table, publisher in publishers:
            _publish_once(table, publisher, is_following=pause is not None)
        if pause is None or stopping.wait(pause):
            return


def _publish_once(table: LakeTable, publisher: Publisher, *, is_following: bool) -> None:
    started = time.monotonic()
    rows = files = 0
    oddities = Oddities()
    with showing_rows(publisher.waiting_rows(), open_screen(stderr=True)) as advance:
        for publication in publisher.publish(advance):
            rows += publication.rows
            files += publication.files
            oddities.add(publication.oddities)
            _echo_comparison(table, publication)
    if rows or not is_following:
        rate = f" in {files:,} files ({rows / max(time.monotonic() - started, 0.001):,.0f} rows/s)" if rows else ""
        echo(f"{table.copy.value}: {rows:,} rows published to {table.uri}{rate}.")
        echo_oddities(oddities)


def _echo_comparison(table: LakeTable, publication: Publication) -> None:
    if publication.only_in_copy is None:
        return
    echo(
        f"{table.copy.value}: this database does not prove the copy's last publication, for it was restored, or is "
        f"another one; the copy was compared with the table by message id: it lacked {publication.rows:,} rows."
    )
    if publication.only_in_copy:
        echo(
            f"  {publication.only_in_copy:,} rows are in the copy only: to bring rows of the opaque copy back into the "
            f"table, run {program_name()} lake restore"
        )


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
