"""Bring rows of the opaque copy back into an empty or older database, tokens as they are."""

from __future__ import annotations

import argparse
import contextlib
import functools
import threading
from typing import Any

from maskline.errors import UsageError
from maskline.lake.copies import Copy
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.lake_options import add_lake, lake_tables, row_source
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.pipeline.progress import showing_rows
from maskline.pipeline.screen import open_screen
from maskline.pipeline.stopping import STOPPED_EXIT_CODE, BackgroundWork, stopping_on_signals
from maskline.postgres.connection import connect
from maskline.streams.definition import load_stream

LEFT_EXIT_CODE = 1


def add_actions(actions: Any) -> None:
    """Add the action to the parser of the command."""
    restoring = add_action(
        actions, "restore", "bring rows of the opaque copy back into an empty or older database, each once", _restore
    )
    options = Options(restoring)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()
    add_lake(options, [Copy.TOKENIZED])
    options.add("dry_run", "only say how many rows the table lacks", action="store_true")


def _restore(arguments: argparse.Namespace) -> int:
    from maskline.lake.restore import Restorer, RestoreResult  # an extra brings its libraries

    stream = load_stream(arguments.stream)
    arguments.lake_clear = None
    if not arguments.lake_opaque:
        raise UsageError("lake_opaque: missing; rows come back from the opaque copy, tokens as they are")
    (table,) = lake_tables(arguments, stream)
    keyset = keyset_uri(arguments).open()
    stopping = threading.Event()
    with (
        stopping_on_signals(stopping, open_screen(stderr=True)),
        contextlib.closing(row_source(arguments, stream)) as source,
    ):
        restorer = Restorer(source, table, functools.partial(connect, postgres_dsn(arguments)), keyset, stopping)

        def restore() -> RestoreResult:
            total = sum(file.rows for file in table.newest().files())
            with showing_rows(total, open_screen(stderr=True)) as advance:
                return restorer.restore(dry_run=arguments.dry_run, advance=advance)

        result = BackgroundWork(restore, "restore").result()
    done = "would come back" if arguments.dry_run else "brought back"
    echo(f"{stream.table}: {result.restored:,} rows {done} from {table.uri}; {result.present:,} were there already.")
    for rows, why in (
        (result.suppressed, "stay out, for their persons were erased"),
        (result.entered, "are in the ledger, so they were deleted from the table, or their messages came meanwhile"),
        (
            result.without_id,
            "have no message id, are older than the job and stay out: nobody can tell if they are there",
        ),
    ):
        if rows:
            echo(f"  {rows:,} rows {why}.")
    for row in result.named:
        echo(f"  {row}")
    if result.left > len(result.named):
        echo(f"  and {result.left - len(result.named):,} more")
    if stopping.is_set():
        return STOPPED_EXIT_CODE
    return LEFT_EXIT_CODE if result.left else 0
