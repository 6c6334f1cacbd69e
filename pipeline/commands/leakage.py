"""Measure what the tokens of a column give away to somebody who has the table and not the key.

Prints how many tokens have a single row, the most frequent ones, the entropy, and how far somebody comes who knows how
often each value occurs, and with --beside also in which rows. It takes no keyset, and the database role
maskline_analyst. With --budget it ends with exit code 1 where more rows than that are identified. docs/masking.md has
the measures of the sample data, docs/keys.md says what to do about them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.padding import Padding
from rich.table import Table

from maskline.errors import UsageError
from maskline.masks.leakage import EquivalenceClass, Leakage, measure_leakage, rows_by_anonymity
from maskline.pipeline.harmless_text import visible
from maskline.pipeline.options import Options, postgres_dsn
from maskline.pipeline.printing import counted, echo, report_failure
from maskline.pipeline.screen import open_screen
from maskline.pipeline.tables import new_table, print_table
from maskline.postgres.connection import Connection, connect
from maskline.postgres.frequencies import TokenFrequencies, token_frequencies
from maskline.postgres.token_reader import columns_of_table
from maskline.streams.definition import Column, StreamDefinition, load_stream, masked_column

ALONE = "frequency and length"
SMALL_CLASSES = {"2 to 9": range(2, 10), "10 to 99": range(10, 100)}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_stream()
    options.add("column", "the masked column, masked_ip say", required=True, metavar="NAME")
    options.add(
        "beside",
        "columns in clear that an attacker knows beside each value, as exactly as they are stored: device_type,locale "
        "say; measured one after the other",
        default="",
        metavar="COLUMN,…",
    )
    options.add(
        "budget",
        "the most rows, in percent, that may be identified, with all of --beside; exit code 1 above it",
        type=float,
        metavar="PERCENT",
    )
    options.add("json", "print JSON, an object", action="store_true")
    options.add("plot", "draw how well rows hide, an SVG file", type=Path, metavar="FILE")
    options.add("top", "how many tokens to show (%(default)s)", type=int, default=5, metavar="N")
    options.add(
        "possible_values",
        "how many values there could be at all: a device id like 593-47-5928 is one of 1000000000",
        type=int,
        metavar="N",
    )


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Print what was measured, and what it means; 1 where it is above the budget."""
    for name in ("top", "possible_values"):
        value = getattr(arguments, name)
        if value is not None and value < 1:
            raise UsageError(f"{name} is {value}; it must be 1 or more")
    if arguments.budget is not None and not 0 <= arguments.budget <= 100:
        raise UsageError(f"budget is {arguments.budget:g}; it is a percentage, 0 to 100")
    stream = load_stream(arguments.stream)
    column = masked_column(stream, arguments.column)
    _check_has_equal_tokens(column)
    beside = _columns_beside(stream, arguments.beside)
    with contextlib.closing(connect(postgres_dsn(arguments))) as connection:
        _check_is_there(connection, stream, beside)
        frequencies = token_frequencies(connection, stream.table, column.name, arguments.top, beside)
    leakage = measure_leakage(frequencies.classes)
    name = f"{stream.table}.{column.name}"
    known = [ALONE, *(f"and {name}" for name in beside)]
    classes = dict(zip(known, [frequencies.classes, *frequencies.classes_beside], strict=True))
    if arguments.json:
        echo(_as_json(name, leakage, frequencies, dict(zip(beside, frequencies.classes_beside, strict=True))))
    else:
        echo(f"{name}: {leakage.rows:,} rows with a token, {frequencies.null_rows:,} with NULL")
    if not leakage.rows:
        return 0
    if not arguments.json:
        _print(leakage, frequencies, arguments.possible_values, classes)
    if arguments.plot:
        from maskline.pipeline.leakage_plot import plot_anonymity  # matplotlib comes with an extra of its own

        plot_anonymity(classes, name, arguments.plot)
    return _exit_code(name, classes, beside, arguments.budget)


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


def _columns_beside(stream: StreamDefinition, names: str) -> list[str]:
    beside = [name.strip() for name in names.split(",")] if names else []
    masked = {column.name for column in stream.masked_columns}
    for number, name in enumerate(beside):
        if name in masked:
            raise UsageError(f"beside: {name} is masked; give columns in clear, whose values an attacker can know")
        if not name or name in beside[:number]:
            raise UsageError(f"beside is {names!r}; give columns with commas between, each once")
    return beside


def _check_is_there(connection: Connection, stream: StreamDefinition, beside: Sequence[str]) -> None:
    """Refuse columns that the table, which may have more than the stream fills, does not have."""
    columns = columns_of_table(connection, stream)
    connection.rollback()
    for name in beside:
        if columns and name not in columns:
            raise UsageError(f"beside: {name!r} is not a column of {stream.table}; those are: {', '.join(columns)}")


def _exit_code(
    name: str, classes: dict[str, list[EquivalenceClass]], beside: Sequence[str], budget: float | None
) -> int:
    leakage = measure_leakage(list(classes.values())[-1])
    percent = 100 * leakage.identified_rows / leakage.rows
    if budget is None or percent <= budget:
        return 0
    known = f", with {', '.join(beside)} beside it," if beside else ""
    report_failure(f"{name}: {percent:.1f}% of its rows{known} are identified; the budget is {budget:g}%", 1)
    return 1


def _as_json(
    name: str, leakage: Leakage, frequencies: TokenFrequencies, beside: dict[str, list[EquivalenceClass]]
) -> str:
    """Return what was measured as JSON.

    Args:
        name: The table and its column.
        leakage: What its tokens alone give away.
        frequencies: What that was measured of.
        beside: The classes that remain when a column is known, too, and those before it.
    """
    return json.dumps(
        {
            "column": name,
            "null_rows": frequencies.null_rows,
            "keys": frequencies.keys,
            **msgspec.structs.asdict(leakage),
            "most_frequent": [{"token": token, "rows": rows} for token, rows in frequencies.most_frequent],
            "identified_rows_beside": {
                column: measure_leakage(classes).identified_rows for column, classes in beside.items()
            },
        }
    )


def _print(
    leakage: Leakage,
    frequencies: TokenFrequencies,
    possible_values: int | None,
    classes: dict[str, list[EquivalenceClass]],
) -> None:
    console = open_screen()
    print_table(_measures(leakage))
    print_table(_most_frequent(frequencies, leakage.rows))
    if frequencies.classes_beside:
        print_table(_anonymity(classes, leakage.rows))
    echo("Who has the table and not the key")
    for sentence in _consequences(leakage, frequencies, possible_values):
        if console.is_terminal:
            console.print(Padding(sentence, (0, 0, 0, 2)))
        else:
            echo(f"  {sentence}")


def _anonymity(classes: dict[str, list[EquivalenceClass]], rows: int) -> Table:
    table = new_table("Rows by how many tokens theirs hides among")
    table.add_column("known of every value")
    for heading in ("identified", *SMALL_CLASSES, "100 and more"):
        table.add_column(heading, justify="right", no_wrap=True)
    for known, their_classes in classes.items():
        by_size = rows_by_anonymity(their_classes)
        counts = [
            by_size.get(1, 0),
            *(sum(by_size.get(size, 0) for size in sizes) for sizes in SMALL_CLASSES.values()),
        ]
        table.add_row(known, *(f"{count / rows:.1%}" for count in (*counts, rows - sum(counts))))
    return table


def _measures(leakage: Leakage) -> Table:
    table = new_table("What the tokens give away", show_header=False)
    table.add_column("what")
    table.add_column("measured", justify="right")
    table.add_row("different tokens", f"{leakage.tokens:,}")
    table.add_row("tokens of a single row", f"{leakage.singletons:,}")
    table.add_row("rows of such tokens", _share(leakage.singletons, leakage.rows))
    table.add_row("entropy", f"{leakage.entropy_bits:.2f} of {leakage.max_entropy_bits:.2f} bits")
    table.add_row("rows of the most frequent token", _share(leakage.largest, leakage.rows))
    return table


def _most_frequent(frequencies: TokenFrequencies, rows: int) -> Table:
    table = new_table("The most frequent tokens")
    table.add_column("token", overflow="fold")
    table.add_column("rows", justify="right", no_wrap=True)
    for token, count in frequencies.most_frequent:
        table.add_row(visible(token), _share(count, rows))
    return table


def _consequences(leakage: Leakage, frequencies: TokenFrequencies, possible_values: int | None) -> list[str]:
    sentences = [
        "can count and join: equal values have equal tokens.",
        f"and knows exactly how often each value occurs can name {counted(leakage.identified_tokens, 'token')} of "
        f"{leakage.tokens:,} for certain, in {_share(leakage.identified_rows, leakage.rows)} of the rows, for no other "
        f"has their frequency and length; and by guessing {counted(leakage.guessed_tokens, 'token')} on average, in "
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


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})"
