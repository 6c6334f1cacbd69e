"""Actions on whole keysets: made, encrypted by a KMS key and decrypted, split into shares and combined."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from maskline.errors import KeysetError, UsageError
from maskline.keys import KeysetProvider, keyset_provider
from maskline.keys.files import FileKeyset
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_store import export_writer, store_keyset
from maskline.keys.kinds import KeysetKind, stored_handle
from maskline.keys.shares import Share, combine_shares, split_keyset
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.options import Options, keyset_uri
from maskline.pipeline.printing import echo

KEEP_A_COPY = "Keep a copy in a safe place: without it, nothing it masked can be recovered."
KEEP_THE_HASH_KEYSET = "Keep a copy in a safe place: without it, the hash of a value cannot be made again."
BACKUP = "keyset-backup.json"


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    create = add_action(actions, "create", "make a new keyset; an existing one is never overwritten", _create)
    wrap = add_action(actions, "wrap", "copy a keyset in clear to a place where a KMS key encrypts it", _wrap)
    unwrap = add_action(actions, "unwrap", "copy a keyset that a KMS key encrypts to a place in clear", _unwrap)
    export = add_action(
        actions,
        "export-writer",
        "write a keyset for jobs, with the primary key alone; again after each promotion, to the same place",
        _export_writer,
    )
    split = add_action(actions, "split", "write an encrypted backup, and shares of the secret that opens it", _split)
    combine = add_action(actions, "combine", "recover a keyset from its backup and enough shares", _combine)
    for action in (create, wrap, unwrap, export, split, combine):
        Options(action).add_keyset()
    Options(create).add(
        "kind",
        "what it is for: mask, for --keyset, or hash, for --hash_keyset (%(default)s)",
        choices=[str(kind) for kind in KeysetKind],
        default=str(KeysetKind.MASK),
    )
    for action in (wrap, unwrap):
        Options(action).add("target", "where to, a place without a keyset", former="to", required=True, metavar="URI")
    Options(export).add("target", "where to; an earlier export is replaced", required=True, metavar="URI")
    options = Options(split)
    options.add("shares", "how many shares (%(default)s)", type=int, default=5, metavar="N")
    options.add("threshold", "how many it takes (%(default)s)", type=int, default=3, metavar="N")
    options.add("directory", "where to write them, a directory made for it", type=Path, required=True, metavar="PATH")
    Options(combine).add("backup", "the encrypted backup", type=Path, required=True, metavar="FILE")
    combine.add_argument("share_files", type=Path, nargs="+", metavar="SHARE_FILE", help="a file with one share in it")


def _create(arguments: argparse.Namespace) -> int:
    provider = keyset_uri(arguments).provider()
    kind = KeysetKind(arguments.kind)
    handle = kind.new_handle()
    store_keyset(handle, provider)
    key_id = handle.keyset_info().primary_key_id
    if kind is KeysetKind.HASH:
        echo(f"Made {provider.uri} with key {key_id}, for hashes: give it as --hash_keyset.")
        echo(KEEP_THE_HASH_KEYSET)
        return 0
    echo(f"Made {provider.uri} with primary key {key_id}.")
    echo(KEEP_A_COPY)
    return 0


def _wrap(arguments: argparse.Namespace) -> int:
    source, target = _copied(arguments)
    if target.kms_key is None:
        raise UsageError(f"target {target.uri}: nothing encrypts it there; give aws-kms://KEY_ARN?keyset=URI")
    store_keyset(stored_handle(source.fetch()), target)
    echo(f"Encrypted {source.uri} as {target.uri}.")
    echo(f"Have jobs and readers use the new one, and then delete {source.uri} and its version before for good.")
    return 0


def _unwrap(arguments: argparse.Namespace) -> int:
    source, target = _copied(arguments)
    if source.kms_key is None or target.kms_key is not None:
        raise UsageError(
            "unwrap: goes from --keyset aws-kms://KEY_ARN?keyset=URI to a place in clear, --target file:PATH"
        )
    store_keyset(stored_handle(source.fetch()), target)
    echo(f"Decrypted {source.uri} as {target.uri}.")
    echo("It is in clear there: whoever reads it can recover every value.")
    return 0


def _export_writer(arguments: argparse.Namespace) -> int:
    source, target = _copied(arguments)
    handle = keyset_handle(source.fetch())
    export_writer(handle, target)
    echo(f"Wrote {target.uri} with key {handle.keyset_info().primary_key_id} alone.")
    echo("Whoever reads it can mask, and unmask what this key masked; nothing of the keys before it.")
    return 0


def _copied(arguments: argparse.Namespace) -> tuple[KeysetProvider, KeysetProvider]:
    return keyset_uri(arguments).provider(), keyset_provider(arguments.target)


def _split(arguments: argparse.Namespace) -> int:
    handle = stored_handle(keyset_uri(arguments).provider().fetch())
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
    return 0


def _combine(arguments: argparse.Namespace) -> int:
    target = keyset_uri(arguments).provider()
    shares = [Share.parse(_read(path).decode(errors="replace"), str(path)) for path in arguments.share_files]
    handle = combine_shares(_read(arguments.backup), shares)
    store_keyset(handle, target)
    echo(f"Recovered {target.uri} with primary key {handle.keyset_info().primary_key_id}.")
    return 0


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KeysetError(f"{path}: {error.strerror}") from None
