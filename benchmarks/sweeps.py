"""The same transfer again and again with one thing changed each time."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from benchmarks.measuring import (
    TRANSFER_COLUMNS,
    add_name,
    add_sqs,
    finish,
    positive,
    progress_bars,
    shown_sqs,
    transfer_cells,
)
from benchmarks.results import Cell, measured
from benchmarks.transfer import Load, transfer
from benchmarks.workbench import Workbench

WARM_UP = Load(10_000)


def add_sweep_options(parser: argparse.ArgumentParser, name: str, values: tuple[int, ...], unit: str) -> None:
    """Add the options of a command that changes one thing.

    Args:
        parser: The command's parser.
        name: The name of the result.
        values: What is tried if nothing else is asked for.
        unit: What a value counts.
    """
    add_sqs(parser)
    tried = " ".join(map(str, values))
    parser.add_argument(
        "--values", nargs="+", type=positive, default=values, metavar="N", help=f"{unit} to try ({tried})"
    )
    add_name(parser, name)


def sweep(arguments: argparse.Namespace, title: str, unit: str, load_of: Callable[[int], Load]) -> int:
    """Transfer once with each value, and show what it made of the figures.

    Args:
        arguments: As `add_sweep_options` described them.
        title: What the result shows.
        unit: What a value counts.
        load_of: Returns what is transferred with a value.
    """
    loads = {value: load_of(value) for value in arguments.values}
    most_messages = max(load.messages for load in loads.values())
    largest = max(load.messages * load.size for load in loads.values()) // most_messages
    rows: list[list[Cell]] = []
    with (
        Workbench(
            arguments.sqs, most_messages, largest, distance_milliseconds=arguments.distance_milliseconds
        ) as bench,
        progress_bars() as progress,
    ):
        transfer(bench, WARM_UP, progress, "warming up")
        for value, load in loads.items():
            run = transfer(bench, load, progress, f"{unit} {value:,}")
            rows.append([value, load.messages, *transfer_cells(run)])
    columns = [unit, "messages", *TRANSFER_COLUMNS]
    curve = [(float(value), float(row[2])) for value, row in zip(loads, rows, strict=True) if isinstance(row[2], float)]
    return finish(measured(arguments.name, f"{title}, {shown_sqs(arguments)}", columns, rows, {"rows/s": curve}))
