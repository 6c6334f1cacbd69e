"""Keysets: where they are kept, how they are read and changed, and the cipher they open."""

from maskline.keys.hash_keyset import HashKeyset, open_hash_keyset
from maskline.keys.keyset import Keyset, StoredKeyset, create_keyset, open_keyset
from maskline.keys.providers import KeysetProvider, keyset_provider
from maskline.keys.uri import KeysetUri, load_keyset

__all__ = [
    "HashKeyset",
    "Keyset",
    "KeysetProvider",
    "KeysetUri",
    "StoredKeyset",
    "create_keyset",
    "keyset_provider",
    "load_keyset",
    "open_hash_keyset",
    "open_keyset",
]
