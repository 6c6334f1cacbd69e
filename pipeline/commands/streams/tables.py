"""The tables of streams: printed as SQL, or made and altered."""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from maskline.errors import DatabaseError
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.options import Options, postgres_dsn
from maskline.pipeline.printing import echo, notice
from maskline.postgres.connection import Connection, connect
from maskline.postgres.ddl import create_table
from maskline.postgres.table_changes import MIGRATED_TABLE, Change, apply_changes, changes_as_sql, table_changes
from maskline.streams.definition import StreamDefinition
from maskline.streams.stream_files import streams_at


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    printing = add_action(
        actions,
        "ddl",
        "print the statements that make the tables, or with --postgres those that are missing there",
        print_tables,
    )
    applying = add_action(
        actions, "apply", "make the tables, or add to them what is missing, with the permissions of every role", _apply
    )
    for parser in (printing, applying):
        parser.add_argument(
            "files", nargs="+", metavar="FILE", help="a definition, a folder of them, or a stream by name"
        )
        Options(parser).add_postgres()


def print_tables(arguments: argparse.Namespace) -> int:
    """Print the statements, for psql."""
    streams = [stream for given in arguments.files for stream in streams_at(given)]
    if not arguments.postgres:
        print("".join(map(create_table, streams)), end="")  # noqa: T201
        return 0
    with _connected(arguments) as connection:
        for stream, changes in _planned(connection, streams):
            if changes:
                print(changes_as_sql(changes), end="")  # noqa: T201
            else:
                notice(_nothing_to_do(stream))
    return 0


def _apply(arguments: argparse.Namespace) -> int:
    streams = [stream for given in arguments.files for stream in streams_at(given)]
    with _connected(arguments) as connection:
        planned = _planned(connection, streams)
        for stream, _ in planned:
            # What the streams before have done, a role or a schema say, is not missing any more.
            changes = table_changes(connection, stream)
            apply_changes(connection, changes)
            for change in changes:
                echo(f"{change.done[0].upper()}{change.done[1:]}.")
            if not changes:
                echo(_nothing_to_do(stream))
    return 0


def _planned(
    connection: Connection, streams: Sequence[StreamDefinition]
) -> list[tuple[StreamDefinition, list[Change]]]:
    """Return the changes of all streams, so that nothing is done where one cannot be altered.

    Raises:
        DatabaseError: One cannot be; the message names what of all of them.
    """
    planned, problems = [], []
    for stream in streams:
        try:
            planned.append((stream, table_changes(connection, stream)))
        except DatabaseError as error:
            problems.append(str(error))
    if problems:
        raise DatabaseError("; ".join(problems))
    return planned


def _nothing_to_do(stream: StreamDefinition) -> str:
    if stream.table_parts[-1] == MIGRATED_TABLE:
        return f"Table {stream.table} is looked after by migrate, and left as it is."
    return f"Table {stream.table} has all that the stream {stream.name} needs."


@contextlib.contextmanager
def _connected(arguments: argparse.Namespace) -> Iterator[Connection]:
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        connection.autocommit = True
        yield connection
