"""Write a definition for a queue's messages, try it on them, and make the tables that it needs.

A definition is a TOML file: a stream, its table, and where each column comes from. docs/streams.md leads from a queue
to rows in ten minutes, and has every key of the file.
"""

from __future__ import annotations

import argparse

from maskline.pipeline.command_parser import add_actions, run_action
from maskline.pipeline.commands.streams import adopting, drafting, tables, trying

main = run_action


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = add_actions(parser)
    for module in (drafting, trying, tables, adopting):
        module.add_actions(actions)
