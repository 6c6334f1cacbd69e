"""Recover personal data from tokens, for whoever holds the keyset.

Prints CSV with a header: the row, the token, the value. The tokens come from a column of the stream's table, or with
--stdin one a line from standard input. Every call is entered in pii_access_log, with reason and condition, before the
first value is shown. A token that is damaged, of another column or of another key is an error that names its row, never
a value; the other rows are shown, and the exit code is 1. Rows that name no key are older than the job: what no key
brings back in them is left out and counted. What a terminal would obey in a value, or a spreadsheet run,
is made harmless unless --raw is said.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import TextIO, TypeAlias

from maskline.errors import TokenError
from maskline.masks.deterministic import Masker
from maskline.pipeline.options import Options, keyset_uri, naming_options, postgres_dsn
from maskline.pipeline.printing import notice
from maskline.pipeline.row_output import CsvPrinter, add_raw
from maskline.pipeline.standard_input import values_of_lines
from maskline.postgres.access_log import check_reason, record_access
from maskline.postgres.connection import connect
from maskline.postgres.token_reader import read_tokens
from maskline.streams.column_mask import Change, element_unmask
from maskline.streams.definition import Column, load_stream, masked_column

SPOOL_BYTES = 8 * 1024 * 1024

_Token: TypeAlias = tuple[str, str, bool]
"""A row, its token, and whether the row names a key."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()
    options.add("column", "the masked column, masked_ip say", required=True, metavar="NAME")
    options.add("reason", "why the values are needed; it goes into pii_access_log", required=True, metavar="TEXT")
    source = Options(parser.add_mutually_exclusive_group())
    source.add("where", "which rows, as a condition in SQL (all)", metavar="SQL")
    source.add("stdin", "take the tokens from standard input, one a line", action="store_true")
    add_raw(parser)


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print the values; 1 if a token could not be unmasked."""
    stream = load_stream(arguments.stream)
    column = masked_column(stream, arguments.column)
    check_reason(arguments.reason)
    unmask = element_unmask(column, Masker(keyset_uri(arguments).open()))
    dsn = postgres_dsn(arguments)
    with contextlib.closing(connect(dsn)) as log, contextlib.closing(_Tokens()) as tokens:
        if arguments.stdin:
            lines = enumerate(values_of_lines("tokens"), start=1)
            tokens.take((f"line {number}", token, True) for number, token in lines)
        else:
            with contextlib.closing(connect(dsn)) as source:
                tokens.take(read_tokens(source, stream, column.name, arguments.where))
        with naming_options(condition="where"):
            record_access(
                log,
                action="unmask",
                stream=stream.name,
                column=column.name,
                row_count=tokens.count,
                reason=arguments.reason,
                condition=arguments.where,
            )
        return _print_values(iter(tokens), column, unmask, sys.stdout, raw=arguments.raw)


def _print_values(rows: Iterator[_Token], column: Column, unmask: Change, output: TextIO, *, raw: bool) -> int:
    print_row = CsvPrinter(["row", column.name, column.field], raw=raw, output=output)
    failures = older = 0
    for row, token, names_key in rows:
        try:
            value = unmask(token)
        except TokenError as error:
            if not names_key:
                older += 1
                continue
            failures += 1
            print(f"maskline: row {row}: the token {error}", file=sys.stderr)  # noqa: T201
            continue
        print_row([row, token, value])
    print_row.notice_altered()
    if older:
        notice(f"{older:,} values are left out: their rows name no key, so they are older than the job")
    return TokenError.exit_code if failures else 0


class _Tokens:
    """Tokens set aside and counted, for the log says how many before the first value is shown; on disk if many.

    A line each, in JSON: unlike CSV's reader, it takes a token of any length.
    """

    def __init__(self) -> None:
        self._spool = tempfile.SpooledTemporaryFile(SPOOL_BYTES, mode="w+", encoding="utf-8", newline="")  # noqa: SIM115
        self.count = 0

    def take(self, rows: Iterable[_Token]) -> None:
        for row in rows:
            self._spool.write(json.dumps(row) + "\n")
            self.count += 1

    def __iter__(self) -> Iterator[_Token]:
        self._spool.seek(0)
        return ((row, token, names_key) for row, token, names_key in map(json.loads, self._spool))

    def close(self) -> None:
        self._spool.close()
