"""Actions on the keys of a keyset: changed one by one, and listed with the rows that need them."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from rich.table import Table

from maskline.errors import UsageError
from maskline.keys.keyset_editor import DESTROYED, DISABLED, ENABLED, KEY_BYTES, RAW, KeyInfo, KeysetEditor
from maskline.keys.keyset_store import change_keyset
from maskline.keys.kinds import stored_handle
from maskline.keys.raw_keys import parse_raw_key
from maskline.pipeline.command_parser import add_action
from maskline.pipeline.harmless_text import visible
from maskline.pipeline.key_usage_check import (
    NO_DATABASE,
    add_opaque_copy,
    check_copy_does_not_need,
    check_nothing_needs,
    destroy_in_database,
    disable_in_database,
    enable_in_database,
    usage_in_copy,
    usage_in_database,
)
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.pipeline.program import program_name
from maskline.pipeline.tables import new_table, print_table
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.key_usage import KeyUsage

STANDARD_INPUT = "-"
MAX_KEY_CHARACTERS = 1024
READS = "It reads plain AES-SIV made elsewhere; remask brings such values under the primary key."
MASKS = "It masks once it is promoted."
NO_KEY = "none"
NOT_HELD = "not held"

T = TypeVar("T")


def add_actions(actions: Any) -> None:
    """Add the actions to the parser of the command."""
    add = add_action(actions, "add", "add a new key, not yet the primary", _add)
    importing = add_action(actions, "import", "add a key of 64 bytes that was made elsewhere", _import)
    promote = add_action(actions, "promote", "make a key the primary, which masks", _promote)
    enable = add_action(actions, "enable", "let a disabled key unmask again", _enable)
    disable = add_action(
        actions,
        "disable",
        "keep a key that masks and unmasks no more, until it is enabled again; not while a lake copy needs it",
        _disable,
    )
    destroy = add_action(
        actions,
        "destroy",
        "remove a disabled key's bytes for good; not while rows need it, or a job wrote under it within the hour",
        _destroy,
    )
    listing = add_action(
        actions, "list", "show ids and states, and with --postgres and --lake_opaque how many rows carry each id", _list
    )
    for action in (add, importing, promote, enable, disable, destroy, listing):
        Options(action).add_keyset()
    for action in (promote, enable, disable, destroy):
        action.add_argument("key_id", type=int, metavar="KEY_ID", help="its id, as keys list shows it")
    for action in (enable, disable, destroy, listing):
        Options(action).add_postgres()
    for action in (disable, destroy):
        Options(action).add(
            "no_database",
            "leave the database out: its rows are not counted, and its jobs may go on writing under the key",
            action="store_true",
        )
    for action in (disable, destroy, listing):
        add_opaque_copy(action)
    Options(listing).add("json", "print JSON, an object a line", action="store_true")
    importing.add_argument(
        "key_file",
        metavar="KEY_FILE",
        help="64 bytes, or their hexadecimal digits or base64; - is standard input",
    )
    Options(importing).add(
        "output_prefix",
        "raw reads plain AES-SIV made elsewhere; tink makes tokens that name the key, and can be promoted "
        "(%(default)s)",
        choices=["raw", "tink"],
        default="raw",
    )
    Options(disable).add("force", "disable it, whatever rows of the opaque copy need it", action="store_true")
    Options(destroy).add("force", "destroy it, enabled or not, whatever needs it", action="store_true")


def _changed(arguments: argparse.Namespace, change: Callable[[KeysetEditor], T]) -> T:
    provider = keyset_uri(arguments).provider()
    result, previous = change_keyset(provider, change)
    if previous is None:
        echo(f"{provider.uri} stays as it is.")
    else:
        echo(f"Changed {provider.uri}; the version before is {previous}.")
    return result


def _add(arguments: argparse.Namespace) -> int:
    key_id = _changed(arguments, KeysetEditor.add)
    echo(f"Added key {key_id}, not yet the primary. Once every job and reader has this version: keys promote {key_id}")
    return 0


def _import(arguments: argparse.Namespace) -> int:
    key = parse_raw_key(_read_key(arguments.key_file))
    is_raw = arguments.output_prefix == RAW
    key_id = _changed(arguments, lambda editor: editor.import_key(key, is_raw=is_raw))
    echo(f"Imported key {key_id}. {READS if is_raw else MASKS}")
    return 0


def _read_key(name: str) -> bytes:
    if name == STANDARD_INPUT:
        return sys.stdin.buffer.read(MAX_KEY_CHARACTERS)
    if len(name) >= KEY_BYTES and "/" not in name:
        raise UsageError("key: give the name of the file that holds it, not the key itself")
    try:
        with Path(name).open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                raise UsageError(f"key {name}: others can read it; run: chmod 600 {shlex.quote(name)}")
            return file.read(MAX_KEY_CHARACTERS)
    except OSError as error:
        raise UsageError(f"key: the file cannot be read ({error.strerror})") from None


def _promote(arguments: argparse.Namespace) -> int:
    _changed(arguments, lambda editor: editor.promote(arguments.key_id))
    echo(
        f"Key {arguments.key_id} is the primary. Running jobs that read this keyset take it within 10 s. Then bring "
        f"older tokens under it with: {program_name()} remask (and lake remask, where there is a data lake)"
    )
    echo(
        "Export the keysets of jobs that have the primary alone anew (keys export-writer); restart jobs whose keyset "
        "comes from a variable."
    )
    return 0


def _enable(arguments: argparse.Namespace) -> int:
    key_id: int = arguments.key_id
    _changed(arguments, lambda editor: editor.enable(key_id))
    echo(f"Key {key_id} is enabled.")
    if arguments.postgres:
        enable_in_database(key_id, postgres_dsn(arguments))
    else:
        echo("A database where it was disabled goes on refusing it; for that one, say --postgres.")
    return 0


def _disable(arguments: argparse.Namespace) -> int:
    dsn = _database(arguments)

    def disable(editor: KeysetEditor) -> None:
        key = editor.key(arguments.key_id)
        if key.state == ENABLED and not (key.is_primary or arguments.force):
            check_copy_does_not_need(key, arguments)
        editor.disable(arguments.key_id)
        if dsn is not None and key.prefix != RAW:
            disable_in_database(arguments.key_id, dsn)

    _changed(arguments, disable)
    echo(f"Key {arguments.key_id} is disabled: nothing it masked can be unmasked until it is enabled again.")
    if dsn is None:
        echo(NO_DATABASE)
    return 0


def _destroy(arguments: argparse.Namespace) -> int:
    key_id: int = arguments.key_id
    dsn = _database(arguments)

    def destroy(editor: KeysetEditor) -> None:
        key = editor.key(key_id)
        if not (key.is_primary or key.state == DESTROYED or arguments.force):
            if key.state != DISABLED:
                raise UsageError(f"key {key_id}: is {key.state}; disable it first, and see that nothing misses it")
            if dsn is not None:
                check_nothing_needs(key, dsn, arguments)
            else:
                check_copy_does_not_need(key, arguments)
        editor.destroy(key_id)
        if dsn is not None and key.prefix != RAW:
            destroy_in_database(key_id, dsn)

    _changed(arguments, destroy)
    echo(f"Key {key_id} is destroyed. The version before, and every copy, still hold it: delete those, too.")
    if dsn is None:
        echo(NO_DATABASE)
    return 0


def _database(arguments: argparse.Namespace) -> PostgresDsn | None:
    """Return the database whose rows and jobs may need a key, or None where it was left out by name.

    Raises:
        UsageError: Neither is said.
    """
    if arguments.no_database:
        return None
    if not arguments.postgres:
        raise UsageError(
            "postgres: missing; the database is told, so that no job writes under the key any more, and its rows are "
            "counted: give --postgres, or say --no_database"
        )
    return postgres_dsn(arguments)


def _list(arguments: argparse.Namespace) -> int:
    keys = KeysetEditor(stored_handle(keyset_uri(arguments).provider().fetch())).keys()
    usage = usage_in_database(postgres_dsn(arguments)) if arguments.postgres else []
    usage += usage_in_copy(arguments)
    if arguments.json:
        for line in _keys_json(keys, usage):
            echo(line)
        return 0
    print_table(_keys_table(keys, usage))
    return 0


def _keys_json(keys: list[KeyInfo], usage: list[KeyUsage]) -> Iterator[str]:
    """Return the keys, those that only rows know included, as JSON: an object for each.

    Args:
        keys: The keyset's keys.
        usage: How many rows carry each key id; empty where that was not asked for.
    """
    for key_id, key in _listed(keys, usage):
        described: dict[str, object] = {
            "key_id": key_id,
            "state": key.state if key else NOT_HELD if key_id is not None else None,
            "prefix": key.prefix if key else None,
            "primary": key is not None and key.is_primary,
        }
        if usage:
            described["rows"] = {counted.table: counted.rows.get(key_id, 0) for counted in usage}
        yield json.dumps(described)


def _listed(keys: list[KeyInfo], usage: list[KeyUsage]) -> Iterator[tuple[int | None, KeyInfo | None]]:
    """Return the ids of the keyset's keys and then of those that only rows know; None is that of rows without one."""
    for key in keys:
        yield key.key_id, key
    carried = {key_id for counted in usage for key_id in counted.rows} - {key.key_id for key in keys}
    for key_id in sorted(carried, key=lambda key_id: key_id or 0):
        yield key_id, None


def _keys_table(keys: list[KeyInfo], usage: list[KeyUsage]) -> Table:
    """Return the table of keys, those that only rows know included.

    Args:
        keys: The keyset's keys.
        usage: How many rows carry each key id; empty where that was not asked for.
    """
    table = new_table()
    for heading in ("key id", "state", "prefix", "primary"):
        table.add_column(heading, no_wrap=True)
    for counted in usage:
        table.add_column(visible(counted.table), justify="right", no_wrap=True)

    def counts(key_id: int | None) -> list[str]:
        return [f"{counted.rows.get(key_id, 0):,}" for counted in usage]

    for key_id, key in _listed(keys, usage):
        if key is not None:
            table.add_row(str(key_id), key.state, key.prefix, "yes" if key.is_primary else "", *counts(key_id))
        else:
            name, state = (NO_KEY, "") if key_id is None else (str(key_id), NOT_HELD)
            table.add_row(name, state, "", "", *counts(key_id))
    return table
