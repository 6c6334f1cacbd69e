"""``random``: reversible masking whose tokens cannot be told equal.

AES-SIV of 16 random bytes and then the value, under the same keyset and in the same form as ``deterministic``. So two
tokens of one value differ, and nobody without the key learns more of them than how long their values are. They are
neither joined, grouped nor searched.

Source: https://www.rfc-editor.org/rfc/rfc5297#section-3 (a nonce makes it probabilistic)
"""

from __future__ import annotations

import os
from collections.abc import Callable

from maskline.errors import TokenError
from maskline.masks.deterministic import Masker
from maskline.masks.padding import add_padding, remove_padding
from maskline.masks.tokens import decode_text

RANDOM_BYTES = 16


class RandomMask:
    """Masks the values of one domain, each time otherwise.

    Args:
        masker: Encrypts and decrypts.
        domain: The associated data.
        pad: To a multiple of how many bytes values are padded, the random bytes counted in; None for not at all.
        random_bytes: Returns so many random bytes.
    """

    def __init__(
        self, masker: Masker, domain: str, pad: int | None = None, random_bytes: Callable[[int], bytes] = os.urandom
    ) -> None:
        self._masker = masker
        self._domain = domain
        self._pad = pad
        self._random_bytes = random_bytes

    def mask(self, value: str) -> str:
        """Return a token of a value."""
        salted = self._random_bytes(RANDOM_BYTES) + value.encode()
        return self._masker.encrypt(add_padding(salted, self._pad), self._domain)

    def unmask(self, token: str) -> str:
        """Return the value of a token.

        Raises:
            TokenError: As `Masker.unmask`, or it was not made by this mask.
        """
        salted = remove_padding(self._masker.decrypt(token, self._domain), self._pad)
        if len(salted) < RANDOM_BYTES:
            raise TokenError("is shorter than its random bytes; was it masked deterministically?")
        return decode_text(salted[RANDOM_BYTES:])
