"""Text that somebody else wrote does nothing to the terminal or the spreadsheet that shows it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskline.pipeline.harmless_text import csv_cell, json_text, visible
from maskline.pipeline.printing import echo, notice

OBEYED = {*map(chr, range(32)), *map(chr, range(0x7F, 0xA0)), "\u202e", "\u2066", "\u200f", "\u061c"}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("\x9b31mred", r"\x9b31mred"),
        ("a\rb\nc\td", r"a\x0db\x0ac\x09d"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("grün 😀 \\x1b", "grün 😀 \\x1b"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_line_ends_and_tabs_may_stay() -> None:
    assert visible('{\n\t"a": "\x1b"\r\n}', one_line=False) == '{\n\t"a": "\\x1b"\\x0d\n}'


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('=HYPERLINK("https://x.example")', '\'=HYPERLINK("https://x.example")'),
        ("+49 170 1234567", "'+49 170 1234567"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\N{FULLWIDTH EQUALS SIGN}1+1", "'\N{FULLWIDTH EQUALS SIGN}1+1"),
        ("\t=1+1", "\\x09=1+1"),
        ("\r=1+1", "\\x0d=1+1"),
        ("\n=1+1", "'\n=1+1"),
        (" \N{NO-BREAK SPACE}=1+1", "' \N{NO-BREAK SPACE}=1+1"),
        ("ann@example.com", "ann@example.com"),
        ("two\nlines", "two\nlines"),
        ("", ""),
    ],
)
def test_what_a_spreadsheet_would_run_is_shown_as_text(text: str, cell: str) -> None:
    assert csv_cell(text) == cell


def test_what_is_said_beside_values_holds_nothing_that_a_terminal_obeys(capsys: pytest.CaptureFixture[str]) -> None:
    echo("1 rows of \x1b]0;owned\x07 carry its id.\nAnother line.")
    notice("table \x1b[2J is not there")

    said = capsys.readouterr()
    assert said.out == "1 rows of \\x1b]0;owned\\x07 carry its id.\nAnother line.\n"
    assert said.err == "maskline: table \\x1b[2J is not there\n"


@given(st.text())
def test_nothing_that_is_obeyed_is_left(text: str) -> None:
    assert not OBEYED & {*visible(text)}
    assert not (OBEYED - {"\n"}) & {*csv_cell(text)}
    assert not csv_cell(text).lstrip().startswith(("=", "+", "-", "@"))


@given(st.text())
def test_json_means_the_same(text: str) -> None:
    shown = json_text(json.dumps({"value": text}, ensure_ascii=False))

    assert json.loads(shown) == {"value": text}
    assert not OBEYED & {*shown}
