"""The parser of commands: no abbreviations, and every error one line."""

from __future__ import annotations

import argparse
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
