"""Options by their whole names, and every error of a command line in one line."""

from __future__ import annotations

import gc
import uuid
from pathlib import Path

import pytest

from maskline.errors import UsageError
from maskline.pipeline.command_parser import CommandParser, open_command


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


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A program with two commands; the import of the second one fails."""
    name = f"program_{uuid.uuid4().hex}"
    commands = tmp_path / name / "commands"
    commands.mkdir(parents=True)
    (commands / "look.py").write_text('"""Look."""\nimport gc\nGARBAGE_IS_COLLECTED = gc.isenabled()\n')
    (commands / "fail.py").write_text('"""Fail."""\nraise LookupError\n')
    monkeypatch.syspath_prepend(tmp_path)
    return name


def test_no_garbage_is_collected_while_a_command_is_imported(program: str) -> None:
    command, _ = open_command(program, program, "look", {"look": "look"})

    assert not command.GARBAGE_IS_COLLECTED
    assert gc.isenabled()


def test_garbage_is_collected_after_an_import_that_failed(program: str) -> None:
    with pytest.raises(LookupError):
        open_command(program, program, "fail", {"fail": "fail"})

    assert gc.isenabled()
