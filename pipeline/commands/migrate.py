"""Bring the database to what the job needs, keeping its rows, or back, while others read and write it.

It goes up in steps that make nobody wait for longer than a second; one that was stopped goes on when it is run again.
Where an older job may still run, the last step is left for another run. A step back that would lose data is not taken:
what it would lose is listed. It makes maskline's own tables, and changes user_logins only where that is the stream's.
"""

from __future__ import annotations

import argparse
import functools
from collections.abc import Sequence

from rich.console import Console

from maskline.pipeline.options import Options, postgres_dsn
from maskline.pipeline.progress import showing_rows
from maskline.pipeline.screen import open_screen
from maskline.postgres.connection import connect
from maskline.postgres.ddl import create_table
from maskline.postgres.schema import PSQL_SETTINGS, Plan, Schema, print_sql
from maskline.streams.definition import load_stream

_SIDE_BY_SIDE = "Old and new jobs can run side by side now. When no older job runs any more, run migrate again."


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add("revision", "a revision, head or base (%(default)s)", former="to", default="head")
    options.add_streams("make this stream's table where there is none")
    options.add(
        "sql",
        "print the same steps for psql in place of running them; without --postgres for a database that was never "
        "migrated",
        action="store_true",
    )


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Migrate, or print how."""
    console = open_screen(soft_wrap=True)
    streams = [load_stream(stream) for stream in arguments.stream]
    if arguments.sql:
        if arguments.postgres:
            plan = _schema(arguments).plan(arguments.revision)
            text = print_sql(plan.before, plan.after or "base")
            if plan.waits_for_older_jobs:
                text += f"-- {_SIDE_BY_SIDE}\n"
            tables = _schema(arguments).print_tables(streams)
            text += tables if text or not tables else f"{PSQL_SETTINGS}{tables}"
        else:
            text = print_sql(None, arguments.revision) + "".join(map(create_table, streams))
        console.print(text, markup=False, end="")
        return 0
    schema = _schema(arguments)
    plan = schema.plan(arguments.revision)
    _print_estimate(plan, console)
    before, after = schema.migrate(arguments.revision, functools.partial(showing_rows, console=console))
    if before == after:
        console.print(f"The schema is at revision {after or 'base'} already.")
    else:
        console.print(f"Migrated the schema from revision {before or 'base'} to {after or 'base'}.")
    if plan.waits_for_older_jobs:
        console.print(_SIDE_BY_SIDE)
    for table in schema.create_tables(streams):
        console.print(f"Made table {table}.")
    return 0


def _print_estimate(plan: Plan, console: Console) -> None:
    if plan.leaves_user_logins:
        console.print("The table user_logins is not the one of the stream user_logins, and is left as it is.")
    if not plan.steps:
        return
    console.print(
        f"From revision {plan.before or 'base'} to {plan.after or 'base'} in {plan.steps} steps.", style="dim"
    )
    for table in plan.tables:
        rows = f"about {table.rows:,} rows" if table.rows else "rows that nobody counted"
        console.print(f"  {table.name}: {rows}, {table.size_bytes / 1e6:,.1f} MB", style="dim")


def _schema(arguments: argparse.Namespace) -> Schema:
    return Schema(functools.partial(connect, postgres_dsn(arguments)))
