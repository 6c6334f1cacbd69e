"""Print the table that a stream needs, with the rights of the roles that `migrate` makes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.postgres.ddl import create_table
from maskline.streams.definition import load_stream


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("stream", help="a stream by name, or the path of its .toml")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the statements."""
    print(create_table(load_stream(arguments.stream)), end="")  # noqa: T201
    return 0
