"""Every command and action, from the argument parsers, so that a test that goes through them forgets none."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from maskline.pipeline.cli import COMMANDS
from maskline.pipeline.command_parser import CommandParser, open_command
from maskline.pipeline.options import Options


def parser_of(name: str) -> CommandParser:
    """Return the parser of a command, as the command line makes it."""
    command, parser = open_command("maskline.pipeline", "maskline", name, COMMANDS)
    Options(parser).add_log_level()
    command.add_options(parser)
    parser.passes_unknown = getattr(command, "TAKES_BEAM_OPTIONS", False)
    return parser


def actions() -> Iterator[str]:
    """Return every command, and for one that has actions each of them: ``check``, ``keys create``."""
    for name in COMMANDS:
        subparsers = [each for each in parser_of(name)._actions if isinstance(each, argparse._SubParsersAction)]
        if subparsers:
            yield from (f"{name} {action}" for action in subparsers[0].choices)
        else:
            yield name
