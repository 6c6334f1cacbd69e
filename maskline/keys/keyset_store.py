"""Keeping keysets at their providers: in clear or encrypted, as the provider says, and only if they open again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import tink

from maskline.keys.keyset import StoredKeyset, keyset_handle, serialize_keyset
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.kinds import try_keyset
from maskline.keys.kms import OpenKmsKey, aws_kms_key
from maskline.keys.providers import KeysetProvider

T = TypeVar("T")


def store_keyset(handle: tink.KeysetHandle, provider: KeysetProvider, open_kms_key: OpenKmsKey = aws_kms_key) -> None:
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
    provider: KeysetProvider, change: Callable[[KeysetEditor], T], open_kms_key: OpenKmsKey = aws_kms_key
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


def _content(handle: tink.KeysetHandle, provider: KeysetProvider, open_kms_key: OpenKmsKey) -> bytes:
    kms_key = open_kms_key(provider.kms_key) if provider.kms_key else None
    content = serialize_keyset(handle, kms_key, provider.uri)
    try_keyset(handle, StoredKeyset(content, provider.uri, provider.kms_key), open_kms_key)
    return content
