"""New keysets: made, encrypted by a KMS key, and decrypted."""

from __future__ import annotations

import argparse
from typing import Any

from maskline.errors import UsageError
from maskline.keys import KeysetProvider, keyset_provider
from maskline.keys.keyset import keyset_handle, new_keyset_handle
from maskline.keys.storing import store_keyset
from pipeline.command_parser import add_action
from pipeline.options import Options, required
from pipeline.printing import say

KEEP_A_COPY = "Keep a copy in a safe place: without it, nothing it masked can be recovered."


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


def _create(arguments: argparse.Namespace) -> None:
    provider = keyset_provider(required(arguments, "keyset"))
    handle = new_keyset_handle()
    store_keyset(handle, provider)
    say(f"Made {provider.uri} with primary key {handle.keyset_info().primary_key_id}.")
    say(KEEP_A_COPY)


def _wrap(arguments: argparse.Namespace) -> None:
    source, target = _copied(arguments)
    if target.kms_key is None:
        raise UsageError(f"to {target.uri}: nothing encrypts it there; give aws-kms://KEY_ARN?keyset=URI")
    store_keyset(keyset_handle(source.fetch()), target)
    say(f"Encrypted {source.uri} as {target.uri}.")
    say(f"Have jobs and readers use the new one, and then delete {source.uri} and its version before for good.")


def _unwrap(arguments: argparse.Namespace) -> None:
    source, target = _copied(arguments)
    if source.kms_key is None or target.kms_key is not None:
        raise UsageError("unwrap: goes from --keyset aws-kms://KEY_ARN?keyset=URI to a place in clear, --to file:PATH")
    store_keyset(keyset_handle(source.fetch()), target)
    say(f"Decrypted {source.uri} as {target.uri}.")
    say("It is in clear there: whoever reads it can recover every value.")


def _copied(arguments: argparse.Namespace) -> tuple[KeysetProvider, KeysetProvider]:
    return keyset_provider(required(arguments, "keyset")), keyset_provider(arguments.to)
