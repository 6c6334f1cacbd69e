"""The opaque copy after a rotation of keys."""

from __future__ import annotations

import argparse
import contextlib
import functools
import threading
from typing import Any

from maskline.errors import UnavailableError, UsageError
from maskline.lake.columns import Copy
from maskline.lake.remask import LakeRemasker, RemaskResult
from maskline.lake.table import LakeTable
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.lake_options import add_lake, lake_tables, row_source
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import connect
from maskline.postgres.retry import retrying
from maskline.streams.definition import load_stream

LEFT_EXIT_CODE = 1
RETRY_SECONDS = 300


def add_actions(actions: Any) -> None:
    """Add the action to the parser of the command."""
    remasking = add_action(
        actions, "remask", "after remask: bring the opaque copy's tokens under the primary key, in one commit"
    )
    options = Options(remasking)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()
    add_lake(options)
    remasking.set_defaults(act=_remask)


def _remask(arguments: argparse.Namespace) -> int:
    stream = load_stream(arguments.stream)
    opaque = [table for table in lake_tables(arguments, stream) if table.copy is Copy.TOKENIZED]
    if not opaque:
        raise UsageError("lake_opaque: missing; only the opaque copy has tokens to bring under another key")
    (table,) = opaque
    keyset = keyset_uri(arguments).open()
    remasker = LakeRemasker(table, keyset)
    with contextlib.closing(row_source(arguments, stream)) as source, source.exclusive_lock(table.copy.value):
        waiting = remasker.waiting()
        if waiting:
            _record(arguments, table, waiting, keyset.primary_key_id)
        never = threading.Event()
        result: RemaskResult = retrying(RETRY_SECONDS, never, lambda _attempt: None, on=UnavailableError)(
            remasker.remask
        )
    echo(f"opaque: {result.rows:,} rows brought under key {keyset.primary_key_id}.")
    for row in result.named:
        echo(f"  {row}")
    return LEFT_EXIT_CODE if result.left else 0


def _record(arguments: argparse.Namespace, table: LakeTable, rows: int, key_id: int) -> None:
    connecting = functools.partial(connect, postgres_dsn(arguments))
    with contextlib.closing(connecting()) as connection:
        for column in table.stream.masked_columns:
            record_access(
                connection,
                action="lake remask",
                stream=table.stream.name,
                column=column.name,
                row_count=rows,
                reason=f"rotation to key {key_id} of the opaque copy",
            )
