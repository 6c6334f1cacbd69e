"""Publish to the data lake, and look after its copies: their state, their order, and whether they are as the table.

docs/lake.md says more, and how to subscribe.
"""

from __future__ import annotations

import argparse

from maskline.pipeline.command_parser import add_actions, run_action
from maskline.pipeline.commands.lake import maintenance, publish, remask, restore, verify

main = run_action


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = add_actions(parser)
    for module in (publish, verify, maintenance, remask, restore):
        module.add_actions(actions)
