"""Print the tokens of values that you know: from standard input a value a line, on standard output its token.

A token is what the column would hold for the value under the primary key, so it finds the rows that were masked with
that key; `find` knows those of earlier keys, too. Nothing is written, and no database is asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.masks.deterministic import Masker
from maskline.pipeline.options import Options, keyset_uri
from maskline.pipeline.standard_input import values_of_lines
from maskline.streams.definition import load_stream, masked_column


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_keyset()
    options.add_stream()
    options.add("column", "the masked column, masked_ip say", required=True, metavar="NAME")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the tokens."""
    column = masked_column(load_stream(arguments.stream), arguments.column)
    masker = Masker(keyset_uri(arguments).open())
    for value in values_of_lines():
        print(masker.mask(value, column.domain or ""))  # noqa: T201
    return 0
