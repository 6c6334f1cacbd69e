"""docs/options.md and the help of each command are what the parsers say."""

from __future__ import annotations

import argparse
import os

import pytest

from manual.options_page import HELP_PAGES, PAGE, help_pages, page
from maskline.pipeline.help_pages import help_page
from tests.command_line import actions, parser_of


def test_the_page_is_made_from_the_options_of_today() -> None:
    assert PAGE.read_text() == page(), "python -m manual options"


def test_a_variable_that_is_set_changes_no_default_of_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLINE_MICRO_BATCH_SIZE", "77")

    assert "(77)" not in page()


def test_what_help_says_is_made_from_the_options_of_today() -> None:
    assert HELP_PAGES.read_text() == help_pages(), "python -m manual options"


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_help_that_was_made_ahead_is_the_parsers_own(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in os.environ:
        if name.startswith("MASKLINE_"):
            monkeypatch.delenv(name)

    for words in (each.split() for each in {*actions(), *(each.partition(" ")[0] for each in actions())}):
        parser: argparse.ArgumentParser = parser_of(words[0])
        for word in words[1:]:
            (subparsers,) = (each for each in parser._actions if isinstance(each, argparse._SubParsersAction))
            parser = subparsers.choices[word]
        assert help_page(words) == parser.format_help(), words


def test_there_is_no_help_of_what_is_no_command() -> None:
    assert help_page(["chekc"]) is None
    assert help_page(["keys", "lsit"]) is None
    assert help_page(["check", "--queue", "logins"]) is None
