"""Print the tokens of values that you know: from standard input a value a line, on standard output its token.

A token is what the column would hold for the value under the primary key, so it finds the rows that were masked with
that key; `find` knows those of earlier keys, too. Nothing is written, and no database is asked.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.errors import UsageError
from maskline.masks.deterministic import Masker
from maskline.pipeline.options import Options, keyset_uri, open_hash_keyset
from maskline.pipeline.standard_input import values_of_lines
from maskline.streams.column_mask import element_mask
from maskline.streams.definition import load_stream, masked_column
from maskline.streams.failures import InvalidValueError
from maskline.streams.masks import Method
from maskline.streams.normalizing import normalizer


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_keyset()
    options.add_hash_keyset()
    options.add_stream()
    options.add("column", "the masked column, masked_ip say", required=True, metavar="NAME")


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the tokens."""
    column = masked_column(load_stream(arguments.stream), arguments.column)
    if column.mask is not None and column.mask.method in (Method.LEAVES, Method.TRUNCATE):
        raise UsageError(
            f"column {column.name}: is masked by {column.mask.name}, which makes no token of a single value"
        )
    mask = element_mask(column, Masker(keyset_uri(arguments).open()), open_hash_keyset(arguments))
    normalize = normalizer(column, lambda: None)
    for number, value in enumerate(values_of_lines(), start=1):
        try:
            normal = value if normalize is None else normalize(value)
        except InvalidValueError as rejection:
            raise UsageError(f"line {number}: {rejection.detail}, so the column takes no such value") from None
        print("" if normal is None else mask(normal))  # noqa: T201
    return 0
