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
