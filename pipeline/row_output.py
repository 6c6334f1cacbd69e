"""Any number of rows on standard output, as they come: CSV with a header, or JSON, an object a line."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from maskline.pipeline.harmless_text import csv_cell, json_text
from maskline.pipeline.options import Options
from maskline.pipeline.printing import notice, text_of

PrintRow = Callable[[Sequence[object]], None]
"""Prints one row, a value for each column."""


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Add the options for the format of a listing."""
    formats = Options(parser.add_mutually_exclusive_group())
    formats.add("json", "print JSON, an object a line", action="store_true")
    formats.add("csv", "print CSV with a header", action="store_true")
    add_raw(parser)


def add_raw(parser: argparse.ArgumentParser) -> None:
    """Add the option to print values as they are."""
    Options(parser).add(
        "raw",
        "print values as they are, with what a terminal would obey and a spreadsheet would run",
        action="store_true",
    )


def row_printer(columns: Sequence[str], *, as_json: bool, raw: bool = False, output: TextIO | None = None) -> PrintRow:
    """Return a function that prints rows; the header, if the format has one, is printed at once.

    Args:
        columns: The names of the columns.
        as_json: Whether to print JSON; CSV otherwise.
        raw: Whether texts are printed as they are, and not made harmless.
        output: Where to; standard output if None.
    """
    output = output or sys.stdout
    if not as_json:
        return CsvPrinter(columns, raw=raw, output=output)

    def print_object(row: Sequence[object]) -> None:
        text = json.dumps(dict(zip(columns, row, strict=True)), default=str, ensure_ascii=False)
        output.write((text if raw else json_text(text)) + "\n")

    return print_object


class CsvPrinter:
    """Prints rows as CSV with a header, texts made harmless for whoever shows them.

    Args:
        columns: The names of the columns.
        raw: Whether texts are printed as they are.
        output: Where to.

    Attributes:
        altered: How many texts were not printed as they are.
    """

    def __init__(self, columns: Sequence[str], *, raw: bool, output: TextIO) -> None:
        self.altered = 0
        self._is_raw = raw
        self._is_terminal = output.isatty()
        self._writer = csv.writer(output)
        self._writer.writerow(columns)

    def __call__(self, row: Sequence[object]) -> None:
        """Print one row."""
        texts = [text_of(value) if isinstance(value, bool | list | dict) else value for value in row]
        self._writer.writerow(texts if self._is_raw else map(self._harmless, texts))

    def notice_altered(self) -> None:
        """Say on standard error that texts were altered, if any were."""
        if self.altered:
            notice(
                f"{self.altered:,} values with control characters or formulas were made harmless; --raw prints them as "
                "they are"
            )

    def _harmless(self, value: object) -> object:
        if not isinstance(value, str):
            return value
        shown = csv_cell(value, one_line=self._is_terminal)
        self.altered += shown != value
        return shown
