"""Delete what is older than it may be.

`rows` drops the partitions of a stream's table that are older as a whole, and deletes other rows in batches; copies in
a lake keep theirs. `rejections` deletes those that were sent back. `log` deletes entries of pii_access_log, which only
its owner can, and leaves an entry that says how many and up to when. Each is entered into pii_access_log with its
reason, and --dry_run says what would go. To delete rejections that were never sent back, see rejects purge.
"""

from __future__ import annotations

import argparse
import contextlib

from maskline.pipeline.ages import parse_age
from maskline.pipeline.command_parser import add_action, add_actions, run_action
from maskline.pipeline.options import Options, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.postgres.access_log import check_reason, record_access
from maskline.postgres.connection import connect
from maskline.postgres.retention import delete_log_entries, delete_old_rows, delete_requeued, find_old_rows
from maskline.streams.definition import load_stream

main = run_action


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = add_actions(parser)
    rows = add_action(actions, "rows", "drop old partitions of a stream's table, delete other old rows", _rows)
    rejections = add_action(actions, "rejections", "delete rejections that were sent back long ago", _rejections)
    log = add_action(actions, "log", "delete old entries of pii_access_log, as its owner", _log)
    Options(rows).add_stream()
    for action, what in (
        (rows, "were sent, in whole days of UTC"),
        (rejections, "were sent back"),
        (log, "were entered"),
    ):
        options = Options(action)
        options.add_postgres()
        options.add("older_than", f"how long ago they {what} at least: 90d, 36h or 4w", required=True, metavar="AGE")
        options.add(
            "reason", "why; it goes into pii_access_log (not asked for by --dry_run)", default="", metavar="TEXT"
        )
        options.add("dry_run", "only say how many they are", action="store_true")


def _rows(arguments: argparse.Namespace) -> int:
    age, stream = parse_age(arguments.older_than), load_stream(arguments.stream)
    if not arguments.dry_run:
        check_reason(arguments.reason)
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        old = find_old_rows(connection, stream, age)
        partitions = f", {len(old.partitions):,} partitions with all that is in them" if old.partitions else ""
        if arguments.dry_run:
            echo(f"{stream.table}: {old.rows:,} rows sent before {old.before} would go{partitions}.")
            return 0
        if old.rows or old.partitions:
            record_access(
                connection,
                action="retain rows",
                stream=stream.name,
                column="create_date",
                row_count=old.rows,
                reason=arguments.reason,
                condition=f"create_date < '{old.before}'",
            )
        deleted = sum(delete_old_rows(connection, stream, old))
    echo(f"{stream.table}: {deleted:,} rows sent before {old.before} deleted{partitions}.")
    return 0


def _rejections(arguments: argparse.Namespace) -> int:
    reason = _reason(arguments)
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        count = delete_requeued(connection, parse_age(arguments.older_than), reason)
    echo(f"rejected_messages: {count:,} sent back before {'would go' if reason is None else 'deleted'}.")
    return 0


def _log(arguments: argparse.Namespace) -> int:
    reason = _reason(arguments)
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        count = delete_log_entries(connection, parse_age(arguments.older_than), reason)
    echo(f"pii_access_log: {count:,} entries {'would go' if reason is None else 'deleted'}.")
    return 0


def _reason(arguments: argparse.Namespace) -> str | None:
    """Return why something is deleted, or None where nothing is."""
    if arguments.dry_run:
        return None
    check_reason(arguments.reason)
    return str(arguments.reason)
