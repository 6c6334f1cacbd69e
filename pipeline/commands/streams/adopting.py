"""Having a database accept a definition that masks columns in another way than before."""

from __future__ import annotations

import argparse
import contextlib
from typing import Any

from maskline.errors import UsageError
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.options import Options, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.postgres.column_registry import KnownColumn, adopt_columns
from maskline.postgres.connection import connect
from maskline.streams.definition import load_stream


def add_actions(actions: Any) -> None:
    """Add the action to the parser of the command."""
    adopting = add_action(
        actions,
        "adopt",
        "have the database take the columns of a definition as they are now; tokens that were made otherwise stay as "
        "they are",
        _adopt,
    )
    options = Options(adopting)
    options.add_postgres()
    options.add_stream()


def _adopt(arguments: argparse.Namespace) -> int:
    stream = load_stream(arguments.stream)
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        before, now = adopt_columns(connection, stream)
    if not now and stream.masked_columns:
        raise UsageError(f"stream {stream.name}: table {stream.table} is not in this database")
    for column in before:
        if column not in now:
            echo(f"No longer: {_described(column)}.")
    for column in now:
        if column not in before:
            echo(f"From now on: {_described(column)}.")
    if before == now:
        echo("The database knows these columns already.")
    return 0


def _described(column: KnownColumn) -> str:
    domain = f" in the domain {column.domain}" if column.domain else ""
    return f'{column.name}, masked by "{column.mask}"{domain}'
