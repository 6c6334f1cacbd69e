"""Keeping keysets at their providers: in clear or encrypted, as the provider says, and only if they open again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tink

from maskline.errors import KeysetError
from maskline.keys.followed_keyset import is_successor
from maskline.keys.key_proofs import have_same_keys
from maskline.keys.keyset import Keyset, StoredKeyset, keyset_handle, open_keyset, serialize_keyset
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.kinds import try_keyset
from maskline.keys.kms import OpenKmsKey
from maskline.keys.kms_keys import open_kms_key
from maskline.keys.providers import KeysetProvider

T = TypeVar("T")


def store_keyset(handle: tink.KeysetHandle, provider: KeysetProvider, open_kms_key: OpenKmsKey = open_kms_key) -> None:
    """Keep a keyset where none is kept yet.

    Args:
        handle: The keyset.
        provider: Where to keep it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Raises:
        KeysetError: There is one already, or the place or the KMS key may not be used.
        KeysetUnavailableError: A service did not answer.
    """
    provider.create(_content(handle, provider, open_kms_key))


def change_keyset(
    provider: KeysetProvider, change: Callable[[KeysetEditor], T], open_kms_key: OpenKmsKey = open_kms_key
) -> tuple[T, str | None]:
    """Change a keyset where it is kept, whole or not at all; one that stays as it is is not written anew.

    Args:
        provider: Where it is kept.
        change: Changes it.
        open_kms_key: Gives access to a KMS key by its ARN.

    Returns:
        What `change` returned, and where the version before is kept, or None where nothing changed.

    Raises:
        UsageError: `change` refused; nothing was changed.
        KeysetError: Somebody else changed it meanwhile, or the place or the KMS key may not be used.
        KeysetUnavailableError: A service did not answer.
    """
    stored = provider.fetch()
    editor = KeysetEditor(keyset_handle(stored, open_kms_key))
    result = change(editor)
    if not editor.is_changed:
        return result, None
    return result, provider.replace(stored.content, _content(editor.handle(), provider, open_kms_key))


def export_writer(
    handle: tink.KeysetHandle, provider: KeysetProvider, open_kms_key: OpenKmsKey = open_kms_key
) -> str | None:
    """Keep what a job needs of a keyset: its primary key, and of the others the ids.

    Args:
        handle: The keyset.
        provider: Where to keep it, in the place of what an earlier call kept there.
        open_kms_key: Gives access to a KMS key by its ARN.

    Returns:
        Where the version before is kept, or None where there was none.

    Raises:
        KeysetError: There is another keyset, or a newer one, or one that unmasks with more than its primary key; or the
            place or the KMS key may not be used.
        KeysetUnavailableError: A service did not answer.
    """
    editor = KeysetEditor(handle)
    editor.keep_primary_alone()
    writer = editor.handle()
    try:
        stored = provider.fetch()
    except KeysetError:
        provider.create(_content(writer, provider, open_kms_key))
        return None
    before = open_keyset(stored, open_kms_key)
    after = Keyset(writer)
    is_its_own = before.key_ids == {before.primary_key_id} and have_same_keys(after, before)
    if not (is_its_own and is_successor(after, before)):
        raise KeysetError(
            f"keyset {provider.uri}: is no earlier export of this keyset, and is left alone; give a place without a "
            "keyset"
        )
    return provider.replace(stored.content, _content(writer, provider, open_kms_key))


def _content(handle: tink.KeysetHandle, provider: KeysetProvider, open_kms_key: OpenKmsKey) -> bytes:
    kms_key = open_kms_key(provider.kms_key) if provider.kms_key else None
    content = serialize_keyset(handle, kms_key, provider.uri)
    try_keyset(handle, StoredKeyset(content, provider.uri, provider.kms_key), open_kms_key)
    return content
