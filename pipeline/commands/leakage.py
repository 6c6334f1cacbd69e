"""Measure what the tokens of a column give away to somebody who has the table and not the key.

Prints how many tokens have a single row, the most frequent ones, the entropy, and how far somebody comes who knows how
often each value occurs. It takes no keyset, and the database role maskline_analyst. docs/keys.md says what to do about
it.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from maskline.errors import UsageError
from maskline.masks.leakage import Leakage, measure_leakage
from maskline.pipeline.options import Options, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.postgres.connection import connect
from maskline.postgres.frequencies import TokenFrequencies, token_frequencies
from maskline.streams.definition import Column, load_stream, masked_column


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_stream()
    options.add("column", "the masked column, masked_ip say", required=True, metavar="NAME")
    options.add("top", "how many tokens to show (%(default)s)", type=int, default=5, metavar="N")
    options.add(
        "possible_values",
        "how many values there could be at all: a device id like 593-47-5928 is one of 1000000000",
        type=int,
        metavar="N",
    )


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print what was measured, and what it means."""
    for name in ("top", "possible_values"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}; it must be 1 or more")
    stream = load_stream(arguments.stream)
    column = masked_column(stream, arguments.column)
    _check_has_equal_tokens(column)
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        frequencies = token_frequencies(connection, stream.table, column.name, arguments.top)
    leakage = measure_leakage(frequencies.classes)
    echo(f"{stream.table}.{column.name}: {leakage.rows:,} rows with a token, {frequencies.null_rows:,} with NULL")
    if leakage.rows:
        _print(leakage, frequencies, arguments.possible_values)
    return 0


def _check_has_equal_tokens(column: Column) -> None:
    """Refuse a column in which equal values have no equal tokens, so that frequencies say nothing.

    Raises:
        UsageError: It is such a column.
    """
    assert column.mask is not None, "the column is masked"
    if not column.mask.keeps_equality:
        raise UsageError(
            f"column {column.name}: is masked by {column.mask.name}, and leakage is measured where equal values have "
            "equal tokens (deterministic, hash); what this mask gives away stands in docs/masking.md"
        )
    if column.type.is_array:
        raise UsageError(f"column {column.name}: is an array, and leakage is measured of single tokens")


def _print(leakage: Leakage, frequencies: TokenFrequencies, possible_values: int | None) -> None:
    console = Console(highlight=False)
    console.print(_measures(leakage))
    console.print(_most_frequent(frequencies, leakage.rows))
    console.print("Who has the table and not the key")
    for sentence in _consequences(leakage, frequencies, possible_values):
        console.print(Padding(sentence, (0, 0, 0, 2)))


def _measures(leakage: Leakage) -> Table:
    table = Table(title="What the tokens give away", title_justify="left", show_header=False)
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_row("different tokens", f"{leakage.tokens:,}")
    table.add_row("tokens of a single row", f"{leakage.singletons:,}")
    table.add_row("rows of such tokens", _share(leakage.singletons, leakage.rows))
    table.add_row("entropy", f"{leakage.entropy_bits:.2f} of {leakage.max_entropy_bits:.2f} bits")
    table.add_row("rows of the most frequent token", _share(leakage.largest, leakage.rows))
    return table


def _most_frequent(frequencies: TokenFrequencies, rows: int) -> Table:
    table = Table(title="The most frequent tokens", title_justify="left")
    table.add_column("token", overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    for token, count in frequencies.most_frequent:
        table.add_row(token, _share(count, rows))
    return table


def _consequences(leakage: Leakage, frequencies: TokenFrequencies, possible_values: int | None) -> list[str]:
    sentences = [
        "can count and join: equal values have equal tokens.",
        f"and knows exactly how often each value occurs can name {_counted(leakage.identified_tokens)} of "
        f"{leakage.tokens:,} for certain, in {_share(leakage.identified_rows, leakage.rows)} of the rows, for no other "
        f"has their frequency and length; and by guessing {_counted(leakage.guessed_tokens)} on average, in "
        f"{_share(leakage.guessed_rows, leakage.rows)}.",
        "cannot try out all possible values, as one could against a plain hash: each try would take the key.",
        "can do so all the same if the job masks values of their choice and they see the rows: keep those two apart.",
    ]
    if possible_values is not None:
        sentences.insert(
            2,
            f"and knows only that there are {possible_values:,} possible values, all as likely, guesses a given token "
            f"right once in {possible_values:,}, and cannot find out whether the guess was right.",
        )
    if frequencies.keys > 1:
        sentences.append(
            f"sees the tokens of {frequencies.keys} keys here, so equal values may look different: run remask, and "
            "measure again."
        )
    return sentences


def _counted(tokens: int) -> str:
    return f"{tokens:,} token{'' if tokens == 1 else 's'}"


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})"
