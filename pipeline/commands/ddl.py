"""Print the table that a stream needs, with the permissions of the roles that `migrate` makes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.pipeline.options import Options
from maskline.pipeline.printing import notice_former_name
from maskline.postgres.ddl import create_table
from maskline.streams.definition import load_stream


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    Options(parser).add_stream()
    parser.add_argument("former_stream", nargs="?", help=argparse.SUPPRESS)


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the statements."""
    if arguments.former_stream:
        notice_former_name("ddl STREAM", "ddl --stream STREAM")
    print(create_table(load_stream(arguments.former_stream or arguments.stream)), end="")  # noqa: T201
    return 0
