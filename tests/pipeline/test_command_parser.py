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
    action = parser.add_subparsers(required=True, metavar="ACTION").add_parser("act")
    action.add_argument("--force", action="store_true")
    action.add_argument("--count", type=int)
    action.add_argument("--dry_run", action="store_true")
    action.add_argument("--last_day")
    return parser


def test_an_abbreviation_is_not_an_option(parser: CommandParser) -> None:
    with pytest.raises(UsageError) as refusal:
        parser.parse_known_args(["act", "--forc"])

    assert str(refusal.value) == "unknown option --forc; did you mean --force? see: program act --help"


def test_an_option_that_nothing_is_near_is_one_line_without_its_value(parser: CommandParser) -> None:
    with pytest.raises(UsageError) as refusal:
        parser.parse_known_args(["act", "--zzz=secret"])

    assert str(refusal.value) == "unknown option --zzz; see: program act --help"


def test_an_argument_too_many_is_not_repeated(parser: CommandParser) -> None:
    with pytest.raises(UsageError) as refusal:
        parser.parse_known_args(["act", "203.0.113.7"])

    assert str(refusal.value) == "there is an argument too many; see: program act --help"


def test_dashes_are_as_good_as_underscores_in_an_option_but_not_in_a_value(parser: CommandParser) -> None:
    parsed, _ = parser.parse_known_args(["act", "--dry-run", "--last-day=2026-11-26"])

    assert (parsed.dry_run, parsed.last_day) == (True, "2026-11-26")


def test_options_for_somebody_else_are_passed_on_as_they_stand() -> None:
    parser = CommandParser(prog="program")
    parser.passes_unknown = True

    _, unparsed = parser.parse_known_args(["--prism-location=/opt/prism"])

    assert unparsed == ["--prism-location=/opt/prism"]


def test_an_unknown_action_suggests_the_nearest(parser: CommandParser) -> None:
    with pytest.raises(UsageError) as refusal:
        parser.parse_known_args(["atc"])

    assert str(refusal.value) == "action 'atc' is not known; did you mean act? see: program --help"


def test_a_wrong_value_is_one_line_that_names_its_help(parser: CommandParser) -> None:
    with pytest.raises(UsageError) as refusal:
        parser.parse_known_args(["act", "--count=many"])

    assert str(refusal.value) == "argument --count: invalid int value: 'many'; see: program act --help"


def test_a_missing_action_is_one_line(parser: CommandParser) -> None:
    with pytest.raises(UsageError, match=r"action: missing; it is one of act; see: program --help"):
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
