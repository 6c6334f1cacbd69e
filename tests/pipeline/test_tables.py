"""Tables fit where they are shown, and lose nothing: whole in a pipe, shortened and then turned on a terminal."""

from __future__ import annotations

import io
import re
from datetime import date
from decimal import Decimal

import pytest
from rich.console import Console

from maskline.pipeline.tables import new_table, print_table, rows_table

TOKEN = "AQAAAAcrpFDFn6ML55rB-3rRYvJCQ50pIMRRiS0FLvg"
DAY = date(2026, 1, 31)


def printed(width: int | None, columns: int = 3) -> list[str]:
    """Return the lines of a table of one row, on a terminal of a width or in a pipe."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=width is not None, width=width or 80)
    names = [*(f"masked_value_{number}" for number in range(columns - 1)), "create_date"]
    rows = [[*[TOKEN] * (columns - 1), DAY]]
    print_table(rows_table("a: 1 of 1 rows", names, rows, console), console)
    return re.sub("\x1b.*?m", "", screen.getvalue()).splitlines()


def test_a_pipe_gets_whole_values_and_no_blanks_at_the_ends_of_lines() -> None:
    lines = printed(None)

    assert lines[0] == "a: 1 of 1 rows"
    assert lines[4] == f"│ {TOKEN} │ {TOKEN} │ 2026-01-31  │"
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_wide_terminal_shows_whole_values() -> None:
    assert any(TOKEN in line for line in printed(120))


def test_a_terminal_of_80_columns_shortens_values_and_drops_no_column() -> None:
    lines = printed(80, columns=6)

    (row,) = [line for line in lines if "2026-01-31" in line]
    assert row.count("…") == 5
    assert max(map(len, lines)) <= 80


def test_where_no_shortening_helps_a_row_is_a_column() -> None:
    lines = printed(80, columns=40)

    assert [line.split("│")[1].strip() for line in lines if line.startswith("│")] == [
        *(f"masked_value_{number}" for number in range(39)),
        "create_date",
    ]
    assert max(map(len, lines)) <= 80


def test_a_value_is_shown_as_it_is_and_commands_no_terminal() -> None:
    screen = io.StringIO()
    console = Console(file=screen)

    print_table(rows_table("t", ["a"], [["[red]x[/y]\x1b[2J"]], console), console)

    assert "│ [red]x[/y]" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


def test_arrays_documents_and_truth_values_are_shown_as_json_has_them() -> None:
    screen = io.StringIO()
    console = Console(file=screen)
    row = [[Decimal("1.50")], {"a": None}, True, None]

    print_table(rows_table("t", ["a", "b", "c", "d"], [row], console), console)

    assert '│ ["1.50"] │ {"a": null} │ true │ NULL │' in screen.getvalue()


@pytest.mark.parametrize("width", [20, 80])
def test_a_terminal_that_is_too_narrow_cuts_no_number(width: int) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, no_color=True, width=width)
    table = new_table()
    for place in range(4):
        table.add_column(f"column {place}", no_wrap=True)
    table.add_row(*(str(10**9 + place) for place in range(4)))

    print_table(table, console)

    assert all(str(10**9 + place) in screen.getvalue() for place in range(4))
