"""Make, change, encrypt, share and list keysets; a key's bytes are never shown.

A rotation is: add (a new key), roll the keyset out to every job and reader, promote (the new key masks from the next
start of a job on), remask (a command of its own), disable and, when nothing carries the old key's id any more,
destroy. Every change leaves the version before beside the new one. docs/keys.md says more.
"""

from __future__ import annotations

import argparse

from maskline.pipeline.command_parser import add_actions, run_action
from maskline.pipeline.commands.keys import key_actions, keyset_actions

main = run_action


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the actions, each with its options."""
    actions = add_actions(parser)
    for module in (keyset_actions, key_actions):
        module.add_actions(actions)
