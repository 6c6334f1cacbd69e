"""Make keysets.

`create` makes a new AES256_SIV keyset in Tink's JSON format. Whoever holds it can recover every value it masked, and
without it nobody can: keep a copy where the data are not.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.console import Console

from maskline.errors import UsageError
from maskline.keys import create_keyset, keyset_provider, open_keyset
from maskline.keys.providers import FileKeyset
from pipeline.options import Options, required


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="create")
    create = actions.add_parser("create", help="make a new keyset; an existing one is never overwritten")
    Options(create).add_keyset()


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Make a keyset."""
    provider = keyset_provider(required(arguments, "keyset"))
    if not isinstance(provider, FileKeyset):
        raise UsageError(f"keyset {provider.uri}: a keyset is made in a file; give file:PATH")
    provider.store_new(create_keyset())
    keyset = open_keyset(provider.fetch())
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"Made {provider.uri} (mode 0600) with primary key {keyset.primary_key_id}.", markup=False)
    console.print("Keep a copy in a safe place: without it, nothing it masked can be recovered.")
    return 0
