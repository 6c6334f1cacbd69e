"""Every option has its variable, and one that belongs to none is told."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

import pytest

from maskline.pipeline.cli import COMMANDS
from maskline.pipeline.command_parser import CommandParser, open_command
from maskline.pipeline.options import Options
from maskline.pipeline.variables import OPTIONS, unknown_variables


def declared(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Return the options of a parser and of its actions."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from declared(inner)
        elif action.option_strings and action.dest != "help" and action.help != argparse.SUPPRESS:
            yield action


@pytest.fixture(scope="module")
def parsers() -> list[CommandParser]:
    """The parsers of all commands."""
    made = []
    for name in COMMANDS:
        command, parser = open_command("maskline.pipeline", "maskline", name, COMMANDS)
        Options(parser).add_log_level()
        command.add_options(parser)
        made.append(parser)
    return made


def test_the_options_that_have_variables_are_those_of_all_commands(parsers: list[CommandParser]) -> None:
    options = {action.dest for parser in parsers for action in declared(parser)}

    assert sorted(OPTIONS) == sorted(options)


def test_the_help_of_every_option_names_its_variable(parsers: list[CommandParser]) -> None:
    missing = [
        f"{parser.prog} {action.option_strings[0]}"
        for parser in parsers
        for action in declared(parser)
        if not (action.help or "").endswith(f"[MASKLINE_{action.dest.upper()}]")
    ]

    assert missing == []


def test_a_variable_of_no_option_is_told_with_the_nearest_and_without_its_value() -> None:
    environment = {"MASKLINE_POSTGERS": "secret", "MASKLINE_XYZZY": "secret", "PATH": "/bin", "MASKLINE_QUEUE": "q"}

    assert list(unknown_variables(environment, [])) == [
        "MASKLINE_POSTGERS: no option has this variable, so it does nothing; did you mean MASKLINE_POSTGRES?",
        "MASKLINE_XYZZY: no option has this variable, so it does nothing",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "MASKLINE_TEST_KEYSET",
        "MASKLINE_INTERVAL",
        "MASKLINE_SERVICE_HOST",
        "MASKLINE_METRICS_SERVICE_PORT_HTTP",
        "MASKLINE_PORT",
        "MASKLINE_PORT_80_TCP_ADDR",
    ],
)
def test_variables_of_tests_of_kubernetes_and_former_ones_are_not_told(name: str) -> None:
    assert list(unknown_variables({name: "1"}, [])) == []


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({}, ["run", "--keyset=env:MASKLINE_KEYS"]),
        ({}, ["run", "--keyset", "aws-kms://KEY_ARN?keyset=env:MASKLINE_KEYS"]),
        ({"MASKLINE_KEYSET": "env:MASKLINE_KEYS"}, ["run"]),
    ],
)
def test_a_variable_that_holds_the_keyset_is_not_told(environment: dict[str, str], arguments: list[str]) -> None:
    assert list(unknown_variables({"MASKLINE_KEYS": "{}", **environment}, arguments)) == []
