"""Few large files, and none that nobody needs."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator
from typing import Any

from maskline.lake.maintenance import SAFE_RETENTION_HOURS, compact, vacuum
from maskline.lake.table import LakeTable
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.lake_options import add_lake, lake_tables, row_source
from maskline.pipeline.options import Options
from maskline.pipeline.printing import echo
from maskline.streams.definition import load_stream


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    compacting = add_action(actions, "compact", "join small files of a day into large ones; no row changes", _compact)
    vacuuming = add_action(actions, "vacuum", "remove files that no recent version needs, nor any publisher", _vacuum)
    options = Options(vacuuming)
    options.add(
        "retention_hours",
        "how old a file has to be (%(default)s)",
        type=int,
        default=SAFE_RETENTION_HOURS,
        metavar="HOURS",
    )
    options.add("dry_run", "only say how many files they are", action="store_true")
    options.add(
        "allow_short_retention",
        "take less than 7 days, where no reader and no other publisher is at work",
        action="store_true",
    )
    for parser in (compacting, vacuuming):
        options = Options(parser)
        options.add_postgres()
        options.add_stream()
        add_lake(options)


def _compact(arguments: argparse.Namespace) -> int:
    for table in lake_tables(arguments):
        with _exclusive(arguments, table):
            before, after = compact(table)
        echo(f"{table.copy.value}: {before:,} files became {after:,}.")
    return 0


def _vacuum(arguments: argparse.Namespace) -> int:
    for table in lake_tables(arguments):
        with _exclusive(arguments, table):
            files = vacuum(
                table,
                arguments.retention_hours,
                dry_run=arguments.dry_run,
                allow_short_retention=arguments.allow_short_retention,
            )
        echo(f"{table.copy.value}: {len(files):,} files {'would go' if arguments.dry_run else 'removed'}.")
    return 0


@contextlib.contextmanager
def _exclusive(arguments: argparse.Namespace, table: LakeTable) -> Iterator[None]:
    """Keep publishers waiting meanwhile, where the database is given."""
    if not arguments.postgres:
        yield
        return
    with (
        contextlib.closing(row_source(arguments, load_stream(arguments.stream))) as source,
        source.exclusive_lock(table.copy.value),
    ):
        yield
