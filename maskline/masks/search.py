"""The tokens to look for where a value is known and its rows are wanted: one under each key that may have masked it."""

from __future__ import annotations

import base64

from maskline.keys.each_key import EachKey
from maskline.masks.deterministic import Masker


class SearchTokens:
    """Makes the tokens that a value has, or had, in a column.

    Args:
        keys: The keys that may have masked it.
    """

    def __init__(self, keys: EachKey) -> None:
        self._maskers = [Masker(keyset) for keyset in keys.keysets]
        self._raw_keys = keys.raw_keys

    def of(self, value: str, domain: str) -> list[str]:
        """Return the tokens of a value under every enabled key, that of the primary first.

        Under a key that was imported, they are the texts in which plain AES-SIV is commonly written: base64 of either
        alphabet, padded or not, and hexadecimal digits.

        Args:
            value: Any text.
            domain: The domain it was masked in.
        """
        return self.of_bytes(value.encode(), domain)

    def of_bytes(self, value: bytes, domain: str) -> list[str]:
        """Return the tokens of what a mask encrypts of a value, its padding included.

        Args:
            value: Any bytes.
            domain: The domain it was masked in.
        """
        tokens = [masker.encrypt(value, domain) for masker in self._maskers]
        for key in self._raw_keys:
            ciphertext = key.encrypt(value, domain.encode())
            padded = (base64.b64encode(ciphertext), base64.urlsafe_b64encode(ciphertext))
            written = [text.decode() for text in padded] + [text.rstrip(b"=").decode() for text in padded]
            tokens += [*dict.fromkeys(written), ciphertext.hex(), ciphertext.hex().upper()]
        return tokens
