"""Print the tables that streams need, for psql; a short name of `streams ddl`.

With --postgres, it prints what a table that is there lacks: columns, wider types, NULL where a field may be absent.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.pipeline.commands.streams.tables import print_tables
from maskline.pipeline.options import DEFAULT_STREAM, Options


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("files", nargs="*", metavar="FILE", help="a definition, a folder of them, or a stream by name")
    options = Options(parser)
    options.add_streams("the same (user_logins)")
    options.add_postgres()


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the statements."""
    arguments.files = arguments.files or arguments.stream or [DEFAULT_STREAM]
    return print_tables(arguments)
