"""The opaque copy after a rotation of keys."""

from __future__ import annotations

import argparse
import contextlib
import functools
import threading
from typing import Any

from maskline.errors import UnavailableError, UsageError
from maskline.keys import keyset_provider, open_keyset
from maskline.lake.columns import Copy
from maskline.lake.renewing import Renewal, TokenRenewer
from maskline.lake.table import LakeTable
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import check_dsn, connect
from maskline.postgres.retrying import retrying
from maskline.stream import load_stream
from pipeline.command_parser import add_action
from pipeline.lake_options import add_lake, lake_tables, row_source
from pipeline.options import Options, required
from pipeline.printing import say

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
    opaque = [table for table in lake_tables(arguments, stream) if table.copy is Copy.OPAQUE]
    if not opaque:
        raise UsageError("lake_opaque: missing; only the opaque copy has tokens to bring under another key")
    (table,) = opaque
    keyset = open_keyset(keyset_provider(required(arguments, "keyset")).fetch())
    renewer = TokenRenewer(table, keyset)
    with contextlib.closing(row_source(arguments, stream)) as source, source.alone(table.copy.value):
        waiting = renewer.waiting()
        if waiting:
            _record(arguments, table, waiting, keyset.primary_key_id)
        never = threading.Event()
        renewal: Renewal = retrying(RETRY_SECONDS, never, lambda _attempt: None, on=UnavailableError)(renewer.renew)
    say(f"opaque: {renewal.rows:,} rows brought under key {keyset.primary_key_id}.")
    for row in renewal.named:
        say(f"  {row}")
    return LEFT_EXIT_CODE if renewal.left else 0


def _record(arguments: argparse.Namespace, table: LakeTable, rows: int, key_id: int) -> None:
    connecting = functools.partial(connect, check_dsn(required(arguments, "postgres")))
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
