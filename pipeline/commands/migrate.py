"""Bring the database to what the job needs, keeping its rows, or back.

All of it happens in one transaction. A step back that would lose data refuses and lists what stands in the way.
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
    Options(parser).add_postgres()
    parser.add_argument("--to", default="head", metavar="REVISION", help="a revision, head or base (%(default)s)")
    parser.add_argument(
        "--sql",
        action="store_true",
        help="print the SQL in place of running it; without --postgres for a database that was never migrated",
    )


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Migrate, or print how."""
    console = Console(highlight=False, soft_wrap=True)
    if arguments.sql:
        current = _schema(arguments).revision() if arguments.postgres else None
        console.print(print_sql(current, arguments.to), markup=False)
        return 0
    before, after = _schema(arguments).migrate(arguments.to)
    if before == after:
        console.print(f"The schema is at revision {after or 'base'} already.")
    else:
        console.print(f"Migrated the schema from revision {before or 'base'} to {after or 'base'}.")
    return 0


def _schema(arguments: argparse.Namespace) -> Schema:
    return Schema(functools.partial(connect, postgres_dsn(arguments)))
