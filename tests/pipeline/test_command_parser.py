"""Options by their whole names, and every error of a command line in one line."""

from __future__ import annotations

import pytest

from maskline.errors import UsageError
from pipeline.command_parser import CommandParser


@pytest.fixture
def parser() -> CommandParser:
    """A parser with an action that has options of its own."""
    parser = CommandParser(prog="program")
    action = parser.add_subparsers(dest="action", required=True).add_parser("act")
    action.add_argument("--force", action="store_true")
    action.add_argument("--count", type=int)
    return parser


def test_an_abbreviation_is_not_an_option(parser: CommandParser) -> None:
    parsed, unparsed = parser.parse_known_args(["act", "--f", "--forc"])

    assert not parsed.force
    assert unparsed == ["--f", "--forc"]


def test_a_wrong_value_is_one_line_that_names_its_help(parser: CommandParser) -> None:
    with pytest.raises(UsageError) as refusal:
        parser.parse_known_args(["act", "--count=many"])

    assert str(refusal.value) == "argument --count: invalid int value: 'many'; see: program act --help"


def test_a_missing_action_is_one_line(parser: CommandParser) -> None:
    with pytest.raises(UsageError, match=r"the following arguments are required: action; see: program --help"):
        parser.parse_known_args([])
