"""Print the tokens of values that you know: from standard input a value a line, on standard output its token.

A token is what the column would hold for the value under the primary key, so it finds the rows that were masked with
that key; `find` knows those of earlier keys, too. A value that the column takes for missing, or rejects, has an empty
line, and the exit code is 1. Nothing is written, and no database is asked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from maskline.masks.deterministic import Masker
from maskline.pipeline.options import Options, keyset_uri, open_hash_keyset
from maskline.pipeline.standard_input import values_of_lines
from maskline.streams.definition import load_stream, masked_column
from maskline.streams.failures import InvalidValueError
from maskline.streams.search import text_mask

NO_TOKEN_EXIT_CODE = 1


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_keyset()
    options.add_hash_keyset()
    options.add_stream()
    options.add("column", "the masked column, masked_ip say", required=True, metavar="NAME")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the tokens; 1 if a value has none."""
    column = masked_column(load_stream(arguments.stream), arguments.column)
    mask = text_mask(column, Masker(keyset_uri(arguments).open()), open_hash_keyset(arguments))
    without_token = 0
    for number, value in enumerate(values_of_lines(), start=1):
        try:
            token = mask(value)
        except InvalidValueError as rejection:
            print(f"maskline: line {number}: {rejection.detail}", file=sys.stderr)  # noqa: T201
            token = None
        without_token += token is None
        print(token or "")  # noqa: T201
    return NO_TOKEN_EXIT_CODE if without_token else 0
