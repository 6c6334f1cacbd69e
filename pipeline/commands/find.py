"""Find the rows of values that you know, a value a line on standard input, never on the command line.

Each value is brought into the column's normal form and masked under every enabled key of the keyset, so that rows of
earlier keys are found, too. It takes a column that is masked deterministically. The rows are shown as they are stored,
tokens as tokens, with the number of the line whose value they hold. Every call is entered in pii_access_log first, with
the reason and the number of values.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Iterable, Sequence

from rich.text import Text

from maskline.errors import UsageError
from maskline.pipeline.harmless_text import visible
from maskline.pipeline.options import Options, keyset_uri, open_hash_keyset, postgres_dsn
from maskline.pipeline.printing import echo, notice
from maskline.pipeline.row_output import add_formats, row_printer
from maskline.pipeline.standard_input import values_of_lines
from maskline.pipeline.tables import new_table, print_table
from maskline.postgres.access_log import check_reason, record_access
from maskline.postgres.column_registry import compare_columns
from maskline.postgres.connection import connect, map_postgres_errors
from maskline.postgres.row_search import find_rows, row_columns
from maskline.streams.definition import load_stream, masked_column
from maskline.streams.search import SearchTokens


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_keyset()
    options.add_hash_keyset()
    options.add_stream()
    options.add("column", "the masked column, masked_ip say", required=True, metavar="NAME")
    options.add("reason", "why it is needed; it goes into pii_access_log", required=True, metavar="TEXT")
    add_formats(parser)


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the rows."""
    check_reason(arguments.reason)
    stream = load_stream(arguments.stream)
    column = masked_column(stream, arguments.column)
    tokens = SearchTokens(column, keyset_uri(arguments).open(), open_hash_keyset(arguments))
    wanted = [tokens.of(value) for value in values_of_lines()]
    dsn = postgres_dsn(arguments)
    with contextlib.closing(connect(dsn)) as log:
        with map_postgres_errors():
            compared = compare_columns(log, stream)
            log.rollback()
        if compared.problems:
            raise UsageError(f"stream: the definition is not the one that rows were masked by: {compared.problems[0]}")
        for warning in compared.warnings:
            notice(f"{warning}, and rows of before may not be found")
        record_access(
            log,
            action="find",
            stream=stream.name,
            column=column.name,
            row_count=len(wanted),
            reason=arguments.reason,
        )
    numbered = ((number, token) for number, of_value in enumerate(wanted, start=1) for token in of_value)
    names = ["line", *row_columns(stream)]
    with contextlib.closing(connect(dsn)) as connection:
        rows = find_rows(connection, stream, column.name, numbered)
        if not (arguments.json or arguments.csv):
            _print_table(names, rows, len(wanted), raw=arguments.raw)
            return 0
        print_row = row_printer(names, as_json=arguments.json, raw=arguments.raw)
        for row in rows:
            print_row(row)
    return 0


def _print_table(names: Sequence[str], rows: Iterable[Sequence[object]], values: int, *, raw: bool) -> None:
    table = new_table()
    for name in names:
        table.add_column(name, overflow="fold")
    found = set()
    for row in rows:
        found.add(row[0])
        texts = ("" if cell is None else str(cell) for cell in row)
        table.add_row(*map(Text, texts if raw else map(visible, texts)))
    if table.row_count:
        print_table(table)
    echo(f"{table.row_count:,} rows; values with a row: {len(found):,} of {values:,}.")
