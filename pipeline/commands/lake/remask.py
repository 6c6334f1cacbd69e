"""The opaque copy after a rotation of keys."""

from __future__ import annotations

import argparse
import contextlib
import functools
import logging
import threading
from typing import Any

from maskline.errors import UnavailableError, UsageError
from maskline.lake.copies import Copy
from maskline.lake.remask import LakeRemasker, RemaskResult
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.lake_options import add_lake, lake_tables, row_source
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.pipeline.remask_record import record_remask
from maskline.postgres.connection import connect
from maskline.retry import log_retry, retrying
from maskline.streams.definition import load_stream

LEFT_EXIT_CODE = 1
RETRY_SECONDS = 300

logger = logging.getLogger(__name__)


def add_actions(actions: Any) -> None:
    """Add the action to the parser of the command."""
    remasking = add_action(
        actions, "remask", "after remask: bring the opaque copy's tokens under the primary key, in one commit", _remask
    )
    options = Options(remasking)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()
    add_lake(options)


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
            connecting = functools.partial(connect, postgres_dsn(arguments))
            reason = f"rotation to key {keyset.primary_key_id} of the opaque copy"
            record_remask(connecting, "lake remask", stream.name, stream.reversible_columns, waiting, reason)
        retry = retrying(RETRY_SECONDS, threading.Event(), log_retry(logger, "re-encrypting"), on=UnavailableError)
        result: RemaskResult = retry(remasker.remask)
    echo(f"opaque: {result.rows:,} rows brought under key {keyset.primary_key_id}.")
    for row in result.named:
        echo(f"  {row}")
    for key_id, rows in sorted(result.unreadable.items()):
        echo(
            f"  {rows:,} rows stay under key {key_id}, which this keyset does not hold enabled: run it with a keyset "
            "that does."
        )
    if result.older_rows:
        echo(f"  {result.older_rows:,} rows name no key, so they are older than the job, and stay as they are.")
    return LEFT_EXIT_CODE if result.left else 0
