"""``random``: reversible masking whose tokens cannot be told equal.

AES-SIV of 16 random bytes and then the value, under the same keyset and in the same form as ``deterministic``. So two
tokens of one value differ, and nobody without the key learns more of them than how long their values are. They are
neither joined, grouped nor searched.

Source: https://www.rfc-editor.org/rfc/rfc5297#section-3 (a nonce makes it probabilistic)
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.errors import TokenError
from maskline.masks.deterministic import Masker
from maskline.masks.padding import add_padding, remove_padding
from maskline.masks.salts import SALT_BYTES, new_salt
from maskline.masks.tokens import decode_text


class RandomMask:
    """Masks the values of one domain, each time otherwise.

    Args:
        masker: Encrypts and decrypts.
        domain: The associated data.
        pad: To a multiple of how many bytes values are padded, the random bytes counted in; None for not at all.
        new_salt: Returns 16 random bytes, others at each call.
    """

    def __init__(
        self, masker: Masker, domain: str, pad: int | None = None, new_salt: Callable[[], bytes] = new_salt
    ) -> None:
        self._masker = masker
        self._encrypt = masker.in_domain(domain)
        self._domain = domain
        self._pad = pad
        self._new_salt = new_salt

    def mask(self, value: str) -> str:
        """Return a token of a value."""
        salted = self._new_salt() + value.encode()
        return self._encrypt(add_padding(salted, self._pad))

    def unmask(self, token: str) -> str:
        """Return the value of a token.

        Raises:
            TokenError: As `Masker.unmask`, or it was not made by this mask.
        """
        salted = remove_padding(self._masker.decrypt(token, self._domain), self._pad)
        if len(salted) < SALT_BYTES:
            raise TokenError("is shorter than its random bytes; was it masked deterministically?")
        return decode_text(salted[SALT_BYTES:])
