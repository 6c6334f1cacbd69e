"""The list of a keyset's keys, and of the rows that need them."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console
from rich.table import Table

from maskline.keys import keyset_provider
from maskline.keys.editing import KeyInfo, KeysetEditor
from maskline.keys.keyset import keyset_handle
from maskline.postgres.key_usage import KeyUsage
from pipeline.command_parser import add_action
from pipeline.commands.keys.needing import add_opaque_copy, usage_in_copy, usage_in_database
from pipeline.options import Options, required

NO_KEY = "none"
NOT_HELD = "not held"


def add_actions(actions: Any) -> None:
    """Add the action to the parser of the command."""
    listing = add_action(
        actions, "list", "show ids and states, and with --postgres and --lake_opaque how many rows carry each id"
    )
    Options(listing).add_keyset()
    Options(listing).add_postgres()
    add_opaque_copy(listing)
    listing.set_defaults(act=_list)


def _list(arguments: argparse.Namespace) -> None:
    keys = KeysetEditor(keyset_handle(keyset_provider(required(arguments, "keyset")).fetch())).keys()
    usage = usage_in_database(arguments.postgres) if arguments.postgres else []
    usage += usage_in_copy(arguments)
    Console(highlight=False).print(keys_table(keys, usage))


def keys_table(keys: list[KeyInfo], usage: list[KeyUsage]) -> Table:
    """Return the table of keys, those that only rows know included.

    Args:
        keys: The keyset's keys.
        usage: How many rows carry each key id; empty where that was not asked for.
    """
    table = Table()
    for heading in ("key id", "state", "prefix", "primary"):
        table.add_column(heading, no_wrap=True)
    for counted in usage:
        table.add_column(counted.table, justify="right", overflow="fold", min_width=8)

    def counts(key_id: int | None) -> list[str]:
        return [f"{counted.rows.get(key_id, 0):,}" for counted in usage]

    for key in keys:
        table.add_row(str(key.key_id), key.state, key.prefix, "yes" if key.is_primary else "", *counts(key.key_id))
    held = {key.key_id for key in keys}
    carried = {key_id for counted in usage for key_id in counted.rows}
    for key_id in sorted(carried - held, key=lambda key_id: key_id or 0):
        name, state = (NO_KEY, "") if key_id is None else (str(key_id), NOT_HELD)
        table.add_row(name, state, "", "", *counts(key_id))
    return table
