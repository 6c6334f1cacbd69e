"""Changes of a keyset, key by key."""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from maskline.errors import UsageError
from maskline.keys import keyset_provider
from maskline.keys.editing import KeysetEditor
from maskline.keys.files import FileKeyset
from maskline.keys.raw_keys import parse_raw_key
from maskline.keys.storing import change_keyset
from maskline.postgres.connection import check_dsn, connect
from maskline.postgres.key_usage import key_usage
from pipeline.options import Options, required
from pipeline.printing import say

STANDARD_INPUT = "-"
READS = "It reads plain AES-SIV made elsewhere; remask brings such values under the primary key."
MASKS = "It masks once it is promoted."

T = TypeVar("T")
Act = Callable[[argparse.Namespace], None]


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    _action(actions, "add", _add, "add a new key, not yet the primary")
    importing = _action(actions, "import", _import, "add a key of 64 bytes that was made elsewhere")
    importing.add_argument(
        "key_file",
        metavar="KEY_FILE",
        help="64 bytes, or their hexadecimal digits or base64; - is standard input",
    )
    importing.add_argument(
        "--output_prefix",
        choices=["raw", "tink"],
        default="raw",
        help="raw reads plain AES-SIV made elsewhere; tink makes tokens that name the key, and can be promoted "
        "(%(default)s)",
    )
    for name, act, summary in (
        ("promote", _promote, "make a key the primary, which masks"),
        ("enable", _enable, "let a disabled key unmask again"),
        ("disable", _disable, "keep a key that unmasks no more, until it is enabled again"),
        ("destroy", _destroy, "remove a key's bytes for good; refused while rows carry its id"),
    ):
        action = _action(actions, name, act, summary)
        action.add_argument("key_id", type=int, metavar="KEY_ID")
        if name == "destroy":
            Options(action).add_postgres()
            action.add_argument("--force", action="store_true", help="destroy it whatever rows carry its id")


def _action(actions: Any, name: str, act: Act, summary: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(name, help=summary)
    Options(parser).add_keyset()
    parser.set_defaults(act=act)
    return parser


def _changed(arguments: argparse.Namespace, change: Callable[[KeysetEditor], T]) -> T:
    provider = keyset_provider(required(arguments, "keyset"))
    result, previous = change_keyset(provider, change)
    say(f"Changed {provider.uri}; the version before is {previous}.")
    return result


def _add(arguments: argparse.Namespace) -> None:
    key_id = _changed(arguments, KeysetEditor.add)
    say(f"Added key {key_id}, not yet the primary. Once every job and reader has this version: keys promote {key_id}")


def _import(arguments: argparse.Namespace) -> None:
    key = parse_raw_key(_read_key(arguments.key_file))
    is_raw = arguments.output_prefix == "raw"
    key_id = _changed(arguments, lambda editor: editor.import_key(key, is_raw=is_raw))
    say(f"Imported key {key_id}. {READS if is_raw else MASKS}")


def _read_key(name: str) -> bytes:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read()
    if not Path(name).is_file():
        raise UsageError(f"key {name}: there is no such file")
    return FileKeyset(Path(name)).fetch().content


def _promote(arguments: argparse.Namespace) -> None:
    _changed(arguments, lambda editor: editor.promote(arguments.key_id))
    say(
        f"Key {arguments.key_id} is the primary. Jobs take it at their next start: restart them all, and then bring "
        "older tokens under it with: python -m pipeline remask"
    )


def _enable(arguments: argparse.Namespace) -> None:
    _changed(arguments, lambda editor: editor.enable(arguments.key_id))
    say(f"Key {arguments.key_id} is enabled.")


def _disable(arguments: argparse.Namespace) -> None:
    _changed(arguments, lambda editor: editor.disable(arguments.key_id))
    say(f"Key {arguments.key_id} is disabled: nothing it masked can be unmasked until it is enabled again.")


def _destroy(arguments: argparse.Namespace) -> None:
    if not arguments.force:
        _refuse_if_used(arguments)
    _changed(arguments, lambda editor: editor.destroy(arguments.key_id))
    say(f"Key {arguments.key_id} is destroyed. The version before, and every copy, still hold it: delete those, too.")


def _refuse_if_used(arguments: argparse.Namespace) -> None:
    if not arguments.postgres:
        raise UsageError(
            "postgres: missing; rows that carry the key's id are counted first: give --postgres, or say --force"
        )
    with contextlib.closing(connect(check_dsn(arguments.postgres))) as connection:
        used = [usage for usage in key_usage(connection) if usage.key_id == arguments.key_id]
    if used:
        rows = " and ".join(f"{usage.rows:,} rows of {usage.table}" for usage in used)
        raise UsageError(
            f"key {arguments.key_id}: {rows} carry its id, and could not be recovered without it; bring them under the "
            "primary key with: python -m pipeline remask; or say --force"
        )
