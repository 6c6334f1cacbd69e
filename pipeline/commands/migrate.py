"""Bring the database to what the job needs, keeping its rows, or back.

All of it happens in one transaction. A step back that would lose data is not taken: what it would lose is listed.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence

from rich.console import Console

from maskline.pipeline.options import Options, postgres_dsn
from maskline.postgres.connection import connect
from maskline.postgres.schema import Schema, print_sql


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add("revision", "a revision, head or base (%(default)s)", former="to", default="head")
    options.add(
        "sql",
        "print the SQL in place of running it; without --postgres for a database that was never migrated",
        action="store_true",
    )


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Migrate, or print how."""
    console = Console(highlight=False, soft_wrap=True)
    if arguments.sql:
        current = _schema(arguments).revision() if arguments.postgres else None
        console.print(print_sql(current, arguments.revision), markup=False)
        return 0
    before, after = _schema(arguments).migrate(arguments.revision)
    if before == after:
        console.print(f"The schema is at revision {after or 'base'} already.")
    else:
        console.print(f"Migrated the schema from revision {before or 'base'} to {after or 'base'}.")
    return 0


def _schema(arguments: argparse.Namespace) -> Schema:
    return Schema(functools.partial(connect, postgres_dsn(arguments)))
