"""Actions on whole keysets: made, encrypted by a KMS key and decrypted, split into shares and combined."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from maskline.errors import KeysetError, UsageError
from maskline.keys import KeysetProvider, keyset_provider
from maskline.keys.files import FileKeyset
from maskline.keys.keyset import keyset_handle, new_keyset_handle
from maskline.keys.keyset_store import store_keyset
from maskline.keys.shares import Share, combine_shares, split_keyset
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.options import Options, keyset_uri
from maskline.pipeline.printing import echo

KEEP_A_COPY = "Keep a copy in a safe place: without it, nothing it masked can be recovered."
BACKUP = "keyset-backup.json"


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    create = add_action(actions, "create", "make a new keyset; an existing one is never overwritten")
    Options(create).add_keyset()
    create.set_defaults(act=_create)
    wrap = add_action(actions, "wrap", "copy a keyset in clear to a place where a KMS key encrypts it")
    wrap.set_defaults(act=_wrap)
    unwrap = add_action(actions, "unwrap", "copy a keyset that a KMS key encrypts to a place in clear")
    unwrap.set_defaults(act=_unwrap)
    for copying in (wrap, unwrap):
        Options(copying).add_keyset()
        copying.add_argument("--to", required=True, metavar="URI", help="where to, a place without a keyset")
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


def _create(arguments: argparse.Namespace) -> None:
    provider = keyset_uri(arguments).provider()
    handle = new_keyset_handle()
    store_keyset(handle, provider)
    echo(f"Made {provider.uri} with primary key {handle.keyset_info().primary_key_id}.")
    echo(KEEP_A_COPY)


def _wrap(arguments: argparse.Namespace) -> None:
    source, target = _copied(arguments)
    if target.kms_key is None:
        raise UsageError(f"to {target.uri}: nothing encrypts it there; give aws-kms://KEY_ARN?keyset=URI")
    store_keyset(keyset_handle(source.fetch()), target)
    echo(f"Encrypted {source.uri} as {target.uri}.")
    echo(f"Have jobs and readers use the new one, and then delete {source.uri} and its version before for good.")


def _unwrap(arguments: argparse.Namespace) -> None:
    source, target = _copied(arguments)
    if source.kms_key is None or target.kms_key is not None:
        raise UsageError("unwrap: goes from --keyset aws-kms://KEY_ARN?keyset=URI to a place in clear, --to file:PATH")
    store_keyset(keyset_handle(source.fetch()), target)
    echo(f"Decrypted {source.uri} as {target.uri}.")
    echo("It is in clear there: whoever reads it can recover every value.")


def _copied(arguments: argparse.Namespace) -> tuple[KeysetProvider, KeysetProvider]:
    return keyset_uri(arguments).provider(), keyset_provider(arguments.to)


def _split(arguments: argparse.Namespace) -> None:
    handle = keyset_handle(keyset_uri(arguments).provider().fetch())
    split = split_keyset(handle, arguments.shares, arguments.threshold)
    directory: Path = arguments.directory
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        raise UsageError(f"directory {directory}: exists already; give one that does not") from None
    except OSError as error:
        raise UsageError(f"directory {directory}: {error.strerror}") from None
    FileKeyset(directory / BACKUP).create(split.backup)
    for share in split.shares:
        FileKeyset(directory / f"share-{share.number}.txt").create(share.text.encode() + b"\n")
    echo(f"Wrote {BACKUP} and {len(split.shares)} shares to {directory}; any {arguments.threshold} of them open it.")
    echo("Give each share to another person, keep the backup where all of them find it, and delete the directory.")
    echo("It holds the keys of now: split again after every new key.")


def _combine(arguments: argparse.Namespace) -> None:
    target = keyset_uri(arguments).provider()
    shares = [Share.parse(_read(path).decode(errors="replace"), str(path)) for path in arguments.shares]
    handle = combine_shares(_read(arguments.backup), shares)
    store_keyset(handle, target)
    echo(f"Recovered {target.uri} with primary key {handle.keyset_info().primary_key_id}.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeysetError(f"{path}: {error.strerror}") from None
