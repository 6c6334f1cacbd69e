"""Finding a command, and the parser of it: no abbreviations, and every error one line."""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from maskline.errors import UsageError


class CommandParser(argparse.ArgumentParser):
    """An argument parser that takes options by their whole names only: ``--f`` is not ``--force``.

    The parsers of a command's actions are of this kind, too.

    Args:
        settings: As for `argparse.ArgumentParser`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with a command line.

        Raises:
            UsageError: Always.
        """
        raise UsageError(f"{message}; see: {self.prog} --help")


def add_action(actions: Any, name: str, summary: str) -> argparse.ArgumentParser:
    """Add one of a command's actions, which says what it does in the command's help and in its own.

    Args:
        actions: What `argparse.ArgumentParser.add_subparsers` returned.
        name: The action.
        summary: What it does.
    """
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=summary, description=f"{summary[0].upper()}{summary[1:]}."
    )
    return parser


def open_command(
    program: str, name: str, commands: Mapping[str, str], package: str | None = None
) -> tuple[Any, CommandParser]:
    """Import the module of a command, ``PACKAGE.commands.NAME``, and return it with an empty parser of its own.

    Args:
        program: What ``python -m`` runs.
        name: The command.
        commands: All commands, each with its summary.
        package: The package, where its name is not that of the program.

    Raises:
        UsageError: There is no such command.
    """
    if name not in commands:
        raise UsageError(f"command {name!r} is not known; known: {', '.join(commands)}")
    with gc_paused():
        command = importlib.import_module(f"{package or program}.commands.{name}")
    parser = CommandParser(
        prog=f"python -m {program} {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    return command, parser


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Import for good: to look for garbage among modules takes a fifth of Beam's import, and a little ever after."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def summaries(commands: Mapping[str, str]) -> Iterator[str]:
    """Return a line for each command, for the help of the program.

    Args:
        commands: All commands, each with its summary.
    """
    width = max(map(len, commands))
    return (f"  {name.ljust(width)}  {summary}" for name, summary in commands.items())
