"""Changes of a keyset, key by key."""

from __future__ import annotations

import argparse
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from maskline.errors import UsageError
from maskline.keys import keyset_provider
from maskline.keys.editing import DESTROYED, DISABLED, ENABLED, KEY_BYTES, RAW, KeyInfo, KeysetEditor
from maskline.keys.raw_keys import parse_raw_key
from maskline.keys.storing import change_keyset
from pipeline.command_parser import add_action
from pipeline.commands.keys.needing import add_opaque_copy, refuse_if_anything_needs, refuse_if_copy_needs
from pipeline.options import Options, required
from pipeline.printing import say

STANDARD_INPUT = "-"
MOST_KEY_CHARACTERS = 1024
READS = "It reads plain AES-SIV made elsewhere; remask brings such values under the primary key."
MASKS = "It masks once it is promoted."
FORCED = {
    "disable": "disable it, whatever rows of the opaque copy need it",
    "destroy": "destroy it, enabled or not, whatever rows need it",
}

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
        (
            "disable",
            _disable,
            "keep a key that unmasks no more, until it is enabled again; refused while a lake copy needs it",
        ),
        ("destroy", _destroy, "remove a disabled key's bytes for good; refused while rows need it"),
    ):
        action = _action(actions, name, act, summary)
        action.add_argument("key_id", type=int, metavar="KEY_ID", help="its id, as keys list shows it")
        if name == "destroy":
            Options(action).add_postgres()
        if name in FORCED:
            add_opaque_copy(action)
            action.add_argument("--force", action="store_true", help=FORCED[name])


def _action(actions: Any, name: str, act: Act, summary: str) -> argparse.ArgumentParser:
    parser = add_action(actions, name, summary)
    Options(parser).add_keyset()
    parser.set_defaults(act=act)
    return parser


def _changed(arguments: argparse.Namespace, change: Callable[[KeysetEditor], T]) -> T:
    provider = keyset_provider(required(arguments, "keyset"))
    result, previous = change_keyset(provider, change)
    if previous is None:
        say(f"{provider.uri} stays as it is.")
    else:
        say(f"Changed {provider.uri}; the version before is {previous}.")
    return result


def _add(arguments: argparse.Namespace) -> None:
    key_id = _changed(arguments, KeysetEditor.add)
    say(f"Added key {key_id}, not yet the primary. Once every job and reader has this version: keys promote {key_id}")


def _import(arguments: argparse.Namespace) -> None:
    key = parse_raw_key(_read_key(arguments.key_file))
    is_raw = arguments.output_prefix == RAW
    key_id = _changed(arguments, lambda editor: editor.import_key(key, is_raw=is_raw))
    say(f"Imported key {key_id}. {READS if is_raw else MASKS}")


def _read_key(name: str) -> bytes:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read(MOST_KEY_CHARACTERS)
    if len(name) >= KEY_BYTES and "/" not in name:
        raise UsageError("key: give the name of the file that holds it, not the key itself")
    try:
        with Path(name).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                raise UsageError(f"key {name}: others can read it; run: chmod 600 {name}")
            return file.read(MOST_KEY_CHARACTERS)
    except OSError as error:
        raise UsageError(f"key: the file cannot be read ({error.strerror})") from None


def _promote(arguments: argparse.Namespace) -> None:
    _changed(arguments, lambda editor: editor.promote(arguments.key_id))
    say(
        f"Key {arguments.key_id} is the primary. Jobs take it at their next start: restart them all, and then bring "
        "older tokens under it with: python -m pipeline remask (and lake remask, where there is a data lake)"
    )


def _enable(arguments: argparse.Namespace) -> None:
    _changed(arguments, lambda editor: editor.enable(arguments.key_id))
    say(f"Key {arguments.key_id} is enabled.")


def _disable(arguments: argparse.Namespace) -> None:
    def disable(editor: KeysetEditor) -> None:
        key = editor.key(arguments.key_id)
        if key.state == ENABLED and not (key.is_primary or arguments.force):
            refuse_if_copy_needs(key, arguments)
        editor.disable(arguments.key_id)

    _changed(arguments, disable)
    say(f"Key {arguments.key_id} is disabled: nothing it masked can be unmasked until it is enabled again.")
    say(
        "A job that started when it was the primary still masks with it: restart every such job before it is destroyed."
    )


def _destroy(arguments: argparse.Namespace) -> None:
    key_id: int = arguments.key_id

    def destroy(editor: KeysetEditor) -> None:
        key = editor.key(key_id)
        if not (key.is_primary or key.state == DESTROYED or arguments.force):
            _refuse_if_needed(key, arguments)
        editor.destroy(key_id)

    _changed(arguments, destroy)
    say(f"Key {key_id} is destroyed. The version before, and every copy, still hold it: delete those, too.")


def _refuse_if_needed(key: KeyInfo, arguments: argparse.Namespace) -> None:
    if key.state != DISABLED:
        raise UsageError(
            f"key {key.key_id}: is {key.state}; disable it first, restart every job that started when it was the "
            "primary, and see that nothing misses it"
        )
    if not arguments.postgres:
        raise UsageError("postgres: missing; rows that need the key are counted first: give --postgres, or say --force")
    refuse_if_anything_needs(key, arguments.postgres, arguments)
