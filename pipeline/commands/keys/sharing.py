"""A break-glass copy of a keyset: its backup, and the shares that open it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from maskline.errors import KeysetError, UsageError
from maskline.keys import keyset_provider
from maskline.keys.files import FileKeyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.shares import Share, combine_shares, split_keyset
from maskline.keys.storing import store_keyset
from pipeline.command_parser import add_action
from pipeline.options import Options, required
from pipeline.printing import say

BACKUP = "keyset-backup.json"


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    split = add_action(actions, "split", "write an encrypted backup, and shares of the secret that opens it")
    Options(split).add_keyset()
    split.add_argument("--shares", type=int, default=5, metavar="N", help="how many shares (%(default)s)")
    split.add_argument("--threshold", type=int, default=3, metavar="N", help="how many it takes (%(default)s)")
    split.add_argument("--directory", type=Path, required=True, help="where to write them, a directory made for it")
    split.set_defaults(act=_split)
    combine = add_action(actions, "combine", "recover a keyset from its backup and enough shares")
    Options(combine).add_keyset()
    combine.add_argument("--backup", type=Path, required=True, help="the encrypted backup")
    combine.add_argument("shares", type=Path, nargs="+", metavar="SHARE_FILE", help="a file with one share in it")
    combine.set_defaults(act=_combine)


def _split(arguments: argparse.Namespace) -> None:
    handle = keyset_handle(keyset_provider(required(arguments, "keyset")).fetch())
    split = split_keyset(handle, arguments.shares, arguments.threshold)
    directory: Path = arguments.directory
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        raise UsageError(f"directory {directory}: exists already; give one that does not") from None
    except OSError as error:
        raise UsageError(f"directory {directory}: {error.strerror}") from None
    FileKeyset(directory / BACKUP).store_new(split.backup)
    for share in split.shares:
        FileKeyset(directory / f"share-{share.number}.txt").store_new(share.text.encode() + b"\n")
    say(f"Wrote {BACKUP} and {len(split.shares)} shares to {directory}; any {arguments.threshold} of them open it.")
    say("Give each share to another person, keep the backup where all of them find it, and delete the directory.")
    say("It holds the keys of now: split again after every new key.")


def _combine(arguments: argparse.Namespace) -> None:
    target = keyset_provider(required(arguments, "keyset"))
    shares = [Share.parse(_read(path).decode(errors="replace"), str(path)) for path in arguments.shares]
    handle = combine_shares(_read(arguments.backup), shares)
    store_keyset(handle, target)
    say(f"Recovered {target.uri} with primary key {handle.keyset_info().primary_key_id}.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeysetError(f"{path}: {error.strerror}") from None
