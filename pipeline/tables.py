"""Printed tables, in one style: at full width in a pipe, fitted to a terminal, and complete in both."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import date, datetime

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from maskline.pipeline.harmless_text import visible
from maskline.pipeline.printing import ending_of
from maskline.pipeline.screen import open_screen

_MAX_WIDTH = 10_000
_SHORTENED = (32, 24, 16, 12, 10, 8)
"""To how many characters values are shortened, where the terminal has no room for whole ones."""


def new_table(title: str | None = None, *, show_header: bool = True) -> Table:
    """Return an empty table in the common style.

    Args:
        title: What is above it.
        show_header: Whether its columns have headings.
    """
    return Table(title=title, title_justify="left", show_header=show_header)


def print_table(table: Table, console: Console | None = None) -> None:
    """Print a table: to a pipe at its full width and without trailing blanks, to a terminal so that it fits.

    Where a terminal is too narrow for all columns, its lines are wrapped; a column is never dropped, nor a number cut.

    Args:
        table: The table.
        console: Where to; standard output if None.
    """
    console = console or open_screen()
    _keep_all(table, console)
    needed = _measured(table, console)
    if console.is_terminal:
        before = console.width
        console.width = max(before, needed.minimum)
        console.print(table)
        console.width = before
        return
    text = io.TextIOWrapper(io.BytesIO(), encoding=console.encoding, newline="")  # of which Rich draws lines in ASCII
    Console(file=text, highlight=False, width=needed.maximum).print(table)
    text.seek(0)
    for line in text.read().splitlines():
        console.file.write(f"{line.rstrip()}\n")


def _keep_all(table: Table, console: Console) -> None:
    """Have a table that is too wide fold its texts anywhere, and never shorten one: rich's own way is an ellipsis."""
    for column in table.columns:
        column.overflow = "fold"
        if column.no_wrap:  # its longest word is not enough
            column.min_width = max(_measured(each, console).maximum for each in (column.header, *column.cells))


def rows_table(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], console: Console, tokens: Sequence[str] = ()
) -> Table:
    """Return a table of rows that fits a terminal: values whole where there is room, and shortened where there is not.

    Where not even that fits, a row is a column, and as many are shown as do.

    Args:
        title: What is above it.
        columns: The names of the columns.
        rows: A value for each column, any number of rows.
        console: Where it will be printed.
        tokens: The names of the columns that hold tokens, which are shown in another color.
    """
    is_token = [name in tokens for name in columns]
    for characters in (_MAX_WIDTH, *_SHORTENED):
        table = new_table(title)
        for name, colored in zip(columns, is_token, strict=True):
            table.add_column(Text(_heading(name, characters)), style="cyan" if colored else None, no_wrap=True)
        for row in rows:
            table.add_row(*(_cell(value, characters) for value in row))
        if not console.is_terminal or _measured(table, console).maximum <= console.width:
            return table
    return _turned(title, columns, rows, console, is_token)


def _turned(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], console: Console, is_token: Sequence[bool]
) -> Table:
    for count in range(max(len(rows), 1), 0, -1):
        table = new_table(title, show_header=False)
        table.add_column("column", overflow="fold")
        for _ in range(count):
            table.add_column("row", no_wrap=True)
        for place, name in enumerate(columns):
            style = "cyan" if is_token[place] else None
            table.add_row(Text(name), *(_cell(row[place], _SHORTENED[-1]) for row in rows[:count]), style=style)
        if _measured(table, console).maximum <= console.width:
            break
    return table


def _cell(value: object, characters: int) -> Text:
    is_day = isinstance(value, date) and not isinstance(value, datetime)
    return Text(visible(str(value) if is_day else ending_of(value, characters)))


def _heading(name: str, characters: int) -> str:
    """Return a heading, in several lines where values are shortened, too."""
    return name if len(name) <= characters else name.replace("_", "_\n")


def _measured(table: RenderableType, console: Console) -> Measurement:
    return Measurement.get(console, console.options.update(width=_MAX_WIDTH), table)
