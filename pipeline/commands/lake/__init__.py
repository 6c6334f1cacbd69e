"""Look after the copies in the data lake: see how they stand, compare them with the table, and keep them in order.

docs/lake.md says more, and how to subscribe.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.pipeline.commands.lake import maintenance, remask, verify


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for module in (verify, maintenance, remask):
        module.add_actions(actions)


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Do what was asked for."""
    exit_code: int = arguments.act(arguments)
    return exit_code
