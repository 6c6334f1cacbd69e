"""Rows on standard output as they come, any number of them: CSV with a header, or JSON, an object a line."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from maskline.pipeline.options import Options

PrintRow = Callable[[Sequence[object]], None]
"""Prints one row, a value for each column."""


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose the form of a listing."""
    formats = Options(parser.add_mutually_exclusive_group())
    formats.add("json", "print JSON, an object a line", action="store_true")
    formats.add("csv", "print CSV with a header", action="store_true")


def row_printer(columns: Sequence[str], *, as_json: bool, output: TextIO | None = None) -> PrintRow:
    """Return what prints rows, with the header already there where the form has one.

    Args:
        columns: The names of the columns.
        as_json: Whether to print JSON; CSV otherwise.
        output: Where to; standard output if None.
    """
    output = output or sys.stdout
    if as_json:

        def print_object(row: Sequence[object]) -> None:
            json.dump(dict(zip(columns, row, strict=True)), output, default=str, ensure_ascii=False)
            output.write("\n")

        return print_object
    writer = csv.writer(output)
    writer.writerow(columns)

    def print_line(row: Sequence[object]) -> None:
        writer.writerow(row)

    return print_line
