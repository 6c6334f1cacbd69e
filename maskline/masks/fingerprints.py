"""Fingerprints, which stand for persons in suppressions, and identify nobody without the keyset.

A fingerprint is the id of a key and a keyed BLAKE2b hash of stream, column and value. The hash's key is what AES-SIV
makes of a constant under that key, which nobody can tell from random bytes without it; so each key has fingerprints of
its own, and whoever holds one of the keys can tell whether a fingerprint is that of a value they know.

Source: https://www.rfc-editor.org/rfc/rfc7693, https://www.rfc-editor.org/rfc/rfc5297
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from maskline.keys import Keyset

PREFIX_BYTES = 4
"""How many bytes of a fingerprint are the id of its key."""

_HASH_BYTES = 16

_PURPOSE = b"maskline.suppressions"


class PersonFingerprints:
    """Makes fingerprints under each key of a keyset.

    Args:
        keyset: The keyset. Keys without an id, which only read, make none.
    """

    def __init__(self, keyset: Keyset) -> None:
        alone = {key.primary_key_id: key for key in keyset.each_alone() if not key.has_raw_keys}
        self._keys = {
            key_id.to_bytes(PREFIX_BYTES, "big"): hashlib.sha512(key.encrypt(_PURPOSE, _PURPOSE)).digest()
            for key_id, key in alone.items()
        }

    def of_column(self, stream: str, column: str) -> Callable[[str], list[bytes]]:
        """Return a function that makes the fingerprints of a value of a column, one a key.

        Args:
            stream: The name of the stream.
            column: The name of the column.
        """
        begun = [
            (prefix, hashlib.blake2b(f"{stream}\0{column}\0".encode(), key=key, digest_size=_HASH_BYTES))
            for prefix, key in self._keys.items()
        ]

        def fingerprints(value: str) -> list[bytes]:
            text = value.encode("utf-8", "surrogatepass")
            made = []
            for prefix, state in begun:
                state = state.copy()
                state.update(text)
                made.append(prefix + state.digest())
            return made

        return fingerprints
