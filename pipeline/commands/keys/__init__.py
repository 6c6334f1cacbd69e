"""Make, change, encrypt, share and list keysets; a key's bytes are never shown.

A rotation is: add (a new key), roll the keyset out to every job and reader, promote (the new key masks from the next
start of a job on), remask (python -m pipeline remask), disable and, when nothing carries the old key's id any more,
destroy. Every change leaves the version before beside the new one. docs/keys.md says more.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from maskline.pipeline.commands.keys import key_actions, keyset_actions


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    for module in (keyset_actions, key_actions):
        module.add_actions(actions)


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Do what was asked for."""
    arguments.act(arguments)
    return 0
