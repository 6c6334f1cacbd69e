"""How the copies stand, and whether they are as their table."""

from __future__ import annotations

import argparse
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from maskline.lake.copies import Copy
from maskline.lake.maintenance import CopyStatus, status
from maskline.lake.source import Backlog
from maskline.lake.verification import DayDifference, Verification, Verifier
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.commands.lake.oddities import echo_oddities
from maskline.pipeline.lake_options import add_lake, lake_tables, masker_for, row_source
from maskline.pipeline.options import Options
from maskline.pipeline.printing import echo
from maskline.pipeline.program import program_name
from maskline.pipeline.tables import new_table, print_table
from maskline.streams.definition import load_stream

DIFFERENT_EXIT_CODE = 1
MAX_LISTED = 10


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    showing = add_action(actions, "status", "show rows, files, horizon and lag of each copy", _status)
    verifying = add_action(
        actions, "verify", "compare each copy with the table, a day at a time; 1 if they differ", _verify
    )
    Options(verifying).add_keyset()
    for parser in (showing, verifying):
        options = Options(parser)
        options.add("json", "print JSON, an object a copy", action="store_true")
        options.add_postgres()
        options.add_stream()
        add_lake(options)


def _status(arguments: argparse.Namespace) -> int:
    stream = load_stream(arguments.stream)
    shown = new_table()
    for heading in ("copy", "version", "rows", "files", "MiB", "horizon", "not published yet", "since"):
        shown.add_column(heading, justify="left" if heading in ("copy", "since") else "right")
    for table in lake_tables(arguments, stream):
        found = status(table)
        waiting = Backlog(0, None, None)
        if arguments.postgres:
            with contextlib.closing(row_source(arguments, stream)) as source:
                source.check()
                waiting = source.waiting(found.horizon or 0)
        if arguments.json:
            echo(_as_json(table.copy, found, waiting if arguments.postgres else None))
            continue
        shown.add_row(
            table.copy.value,
            str(found.version),
            f"{found.rows:,}",
            f"{found.files:,}",
            f"{found.size / 2**20:,.1f}",
            str(found.horizon or "-"),
            f"{waiting.rows:,}" if arguments.postgres else "?",
            _since(waiting),
        )
    if not arguments.json:
        print_table(shown)
    return 0


def _as_json(copy: Copy, found: CopyStatus, waiting: Backlog | None) -> str:
    """Return how a copy stands as JSON; what nobody asked the database for is null."""
    oldest = waiting.oldest if waiting else None
    return json.dumps(
        {
            "copy": copy.value,
            "version": found.version,
            "rows": found.rows,
            "files": found.files,
            "bytes": found.size,
            "horizon": found.horizon,
            "not_published": waiting.rows if waiting else None,
            "oldest": oldest.isoformat() if oldest else None,
        }
    )


def _since(backlog: Backlog) -> str:
    if backlog.oldest is None:
        return ""
    age = datetime.now(UTC) - backlog.oldest
    held = f"; a transaction is open since {backlog.held_back_by:%F %T}" if backlog.held_back_by else ""
    return f"{age.total_seconds():,.0f} s{held}"


def _verify(arguments: argparse.Namespace) -> int:
    stream = load_stream(arguments.stream)
    exit_code = 0
    for table in lake_tables(arguments, stream):
        with contextlib.closing(row_source(arguments, stream)) as source:
            source.check()
            found = Verifier(source, table, masker_for(arguments, table.copy)).verify()
        if found.differences:
            exit_code = DIFFERENT_EXIT_CODE
        if arguments.json:
            echo(_comparison_as_json(table.copy, found))
            continue
        what = f"{table.copy.value}: {found.rows:,} rows on {found.days:,} days"
        if not found.differences:
            echo(f"{what}, as in {stream.table}.")
            echo_oddities(found.oddities)
            continue
        echo(f"{what}; {len(found.differences):,} of them differ from {stream.table}:")
        echo_oddities(found.oddities)
        for difference in found.differences:
            _echo_difference(difference)
        if table.copy is Copy.TOKENIZED and any(difference.changed for difference in found.differences):
            echo(
                "  No publication follows a change of a row. After a rotation of keys, bring the opaque copy under the "
                f"new key with: {program_name()} lake remask"
            )
    return exit_code


def _comparison_as_json(copy: Copy, found: Verification) -> str:
    """Return what a comparison found as JSON, with every message id that is known to differ."""
    return msgspec.json.encode({"copy": copy.value, **msgspec.structs.asdict(found)}).decode()


def _echo_difference(difference: DayDifference) -> None:
    day = difference.day or "no day"
    echo(f"  {day}: {difference.in_table:,} rows in the table, {difference.in_copy:,} in the copy")
    parts = {
        "missing": difference.missing,
        "only or twice in the copy": difference.extra,
        "not the same": difference.changed,
    }
    for what, rows in parts.items():
        if rows:
            more = f" and {len(rows) - MAX_LISTED:,} more" if len(rows) > MAX_LISTED else ""
            echo(f"    {len(rows):,} {what}: {', '.join(rows[:MAX_LISTED])}{more}")
    if not any(parts.values()):
        echo("    which of them differ is not known: they are too many to compare one by one")
