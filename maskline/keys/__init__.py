"""Keysets: where they are kept, how they are read and changed, and the cipher they open."""

from maskline.keys.keyset import Keyset, StoredKeyset, create_keyset, open_keyset
from maskline.keys.providers import KeysetProvider, keyset_provider

__all__ = ["Keyset", "KeysetProvider", "StoredKeyset", "create_keyset", "keyset_provider", "open_keyset"]
