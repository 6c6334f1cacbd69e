"""Finding a command, and its parser: no abbreviations, and every error in one line."""

from __future__ import annotations

import argparse
import importlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any, NoReturn

from maskline.errors import UsageError
from maskline.pipeline.garbage_collection import gc_paused
from maskline.pipeline.help_text import HelpFormatter
from maskline.pipeline.suggestions import suggestion, unknown_name, with_help

_MISSING = re.compile(r"the following arguments are required: (.+)")
_ACTION = re.compile(r"[a-z-]{1,30}")

Act = Callable[[argparse.Namespace], int]
"""Does what an action is for, and returns the exit code."""


class CommandParser(argparse.ArgumentParser):
    """An argument parser that takes options by their whole names only: ``--f`` is not ``--force``.

    Dashes within a name are as good as underscores, ``--until-empty`` is ``--until_empty``. The parsers of a command's
    actions are of this kind, too.

    Args:
        settings: As for `argparse.ArgumentParser`.

    Attributes:
        passes_unknown: Whether `parse_known_args` returns options that are not known, for somebody else, rather than
            raise.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, "formatter_class": HelpFormatter, **settings})
        self.passes_unknown = False

    def parse_known_args(self, args: Iterable[str] | None = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """Parse a command line, as `argparse.ArgumentParser.parse_known_args` does.

        Args:
            args: The command line without the program.
            namespace: Where to put the values; a new one if None.

        Raises:
            UsageError: An option is not known, or not given as it has to be.
        """
        if args is not None:
            args = list(args)
            end = args.index("--") if "--" in args else len(args)
            args = [*map(self._spelled_as_declared, args[:end]), *args[end:]]
        parsed, unknown = super().parse_known_args(args, namespace)
        if unknown and not self.passes_unknown:
            self.error(unknown_option(unknown[0], self._option_string_actions))
        return parsed, unknown

    def error(self, message: str) -> NoReturn:
        """Raise for a wrong command line.

        Raises:
            UsageError: Always.
        """
        missing = _MISSING.fullmatch(message)
        raise UsageError(with_help(self._told_missing(missing[1]) if missing else message, self.prog))

    def _told_missing(self, names: str) -> str:
        """Return what argparse says of arguments that are missing, with what they may be."""
        actions = next((action for action in self._actions if isinstance(action, argparse._SubParsersAction)), None)
        if actions is not None and names == actions.metavar:
            return f"action: missing; it is one of {', '.join(actions.choices)}"
        return f"{names.replace('--', '')}: missing; give {names}"

    def _spelled_as_declared(self, argument: str) -> str:
        option, separator, value = argument.partition("=")
        declared = f"--{option[2:].replace('-', '_')}"
        is_other_spelling = option.startswith("--") and declared in self._option_string_actions
        return f"{declared}{separator}{value}" if is_other_spelling else argument

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            is_action = isinstance(action, argparse._SubParsersAction)
            what = "action" if is_action else action.dest
            if is_action and not _ACTION.fullmatch(str(value)):
                # The value of an option that the action has, a DSN say: to be repeated to nobody.
                raise argparse.ArgumentError(None, f"{what}: goes first; it is one of {', '.join(action.choices)}")
            raise argparse.ArgumentError(None, unknown_name(what, str(value), map(str, action.choices)))


def unknown_option(argument: str, known: Iterable[str]) -> str:
    """Return what is wrong with an unknown argument; its value is not repeated, for it may be a secret.

    Args:
        argument: The argument, with its value or without.
        known: The options that there are, each with its dashes.
    """
    option = argument.partition("=")[0]
    if not option.startswith("-"):
        return "there is an argument too many"
    return f"unknown option {option}{suggestion(option, known)}"


def add_actions(parser: argparse.ArgumentParser) -> Any:
    """Return the group that `add_action` adds the actions of a command to; the user has to give one of them.

    Args:
        parser: The parser of the command.
    """
    return parser.add_subparsers(required=True, metavar="ACTION")


def add_action(actions: Any, name: str, summary: str, act: Act) -> argparse.ArgumentParser:
    """Add an action to a command. Its summary is shown in the help of the command and in its own.

    Args:
        actions: What `add_actions` returned.
        name: The action.
        summary: What it does.
        act: Does it, and returns the exit code.
    """
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    # Here, for it takes all that a job does, which the program's own help does without.
    from maskline.pipeline.options import Options

    Options(parser, environment={}).add_log_level(default=argparse.SUPPRESS)  # else what the command was given stands
    parser.set_defaults(act=act)
    return parser


def run_action(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Run the action that was given, and return its exit code: the ``main`` of a command with actions."""
    act: Act = arguments.act
    return act(arguments)


def open_command(
    package: str, program: str, name: str, commands: Mapping[str, str]
) -> tuple[ModuleType, CommandParser]:
    """Import the module of a command, ``PACKAGE.commands.NAME``, and return it with an empty parser of its own.

    Args:
        package: The package that has the commands.
        program: What the program is called.
        name: The command.
        commands: All commands, each with its summary.

    Raises:
        UsageError: There is no such command.
    """
    if name not in commands:
        raise UsageError(with_help(unknown_name("command", name, commands), program))
    with gc_paused():
        command = importlib.import_module(f"{package}.commands.{name}")
    return command, CommandParser(prog=f"{program} {name}", description=command.__doc__)
