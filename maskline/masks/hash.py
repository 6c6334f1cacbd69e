"""``hash``: tokens that cannot be reversed, not even with the key, and that a rotation does not change.

HMAC-SHA256 through Tink's PRF of the domain, a byte 0 and the value, cut to 128 bits, as base64url without padding: 22
characters. Equal values of one domain have equal hashes. Whoever holds the hash keyset can try values out.

Source: https://developers.google.com/tink/prf, RFC 2104
"""

from __future__ import annotations

import base64

from maskline.keys import HashKeyset

HASH_BYTES = 16
HASH_LENGTH = 22
"""In characters."""


class HashMask:
    """Hashes the values of one domain.

    Args:
        keyset: The keyset of hashes.
        domain: The domain, without a NUL character.
    """

    def __init__(self, keyset: HashKeyset, domain: str) -> None:
        self._keyset = keyset
        self._prefix = domain.encode() + b"\0"

    def mask(self, value: str) -> str:
        """Return the hash of a value."""
        digest = self._keyset.compute(self._prefix + value.encode(), HASH_BYTES)
        return base64.urlsafe_b64encode(digest)[:HASH_LENGTH].decode("ascii")
