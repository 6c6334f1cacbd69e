"""The mask of a column, as a definition names it."""

from __future__ import annotations

import enum

import msgspec

from maskline.masks.hash import HASH_LENGTH
from maskline.masks.padding import padded_length
from maskline.masks.redact import REDACTED
from maskline.masks.salts import SALT_BYTES
from maskline.masks.tokens import longest_clear_value, token_length
from maskline.masks.truncate import EXAMPLES, Truncation, parse_truncation


class Method(enum.StrEnum):
    """How a value is masked."""

    DETERMINISTIC = "deterministic"
    RANDOM = "random"
    HASH = "hash"
    TRUNCATE = "truncate"
    REDACT = "redact"
    LEAVES = "leaves"


class Mask(msgspec.Struct, frozen=True):
    """The mask of a column, ``truncate:ip/24,48`` say.

    Attributes:
        method: How a value is masked.
        parameter: What stands behind the colon, or None.
        pad: The number of bytes to a multiple of which a value is padded before it is encrypted, or None.
    """

    method: Method
    parameter: str | None = None
    pad: int | None = None

    @classmethod
    def parse(cls, text: str, pad: int | None = None) -> Mask:
        """Read a mask.

        Args:
            text: As the definition has it.
            pad: To a multiple of how many bytes it pads, or None.

        Raises:
            ValueError: The text does not name a mask.
        """
        name, colon, parameter = text.partition(":")
        if name not in list(Method):
            known = ", ".join((*(method for method in Method if method is not Method.TRUNCATE), EXAMPLES))
            raise ValueError(f"mask {text!r} is not known; write one of {known}")
        mask = cls(Method(name), parameter if colon else None, pad)
        if mask.method is Method.TRUNCATE:
            parse_truncation(mask.parameter)
        elif colon:
            raise ValueError(f"mask {text!r} takes nothing behind a colon; write mask = {name!r}")
        if pad is not None and not mask.is_reversible:
            raise ValueError(f"pad goes with what is encrypted; mask {text!r} has no length to hide")
        return mask

    @property
    def name(self) -> str:
        """The mask as a definition writes it."""
        return str(self.method) if self.parameter is None else f"{self.method}:{self.parameter}"

    @property
    def is_reversible(self) -> bool:
        """Whether the keyset brings the values back, so that they are unmasked, and re-encrypted after a rotation."""
        return self.method in (Method.DETERMINISTIC, Method.RANDOM, Method.LEAVES)

    @property
    def keeps_equality(self) -> bool:
        """Whether equal values have equal tokens, which can be joined and counted."""
        return self.method in (Method.DETERMINISTIC, Method.HASH)

    @property
    def takes_domain(self) -> bool:
        """Whether its tokens belong to a domain."""
        return self.is_reversible or self.method is Method.HASH

    @property
    def takes_hash_keyset(self) -> bool:
        """Whether it takes the keyset of hashes."""
        return self.method is Method.HASH

    @property
    def truncation(self) -> Truncation:
        """What is kept of a value that is truncated."""
        return parse_truncation(self.parameter)

    def stored_length(self, clear_bytes: int) -> int | None:
        """Return how many characters are stored for a value in a column of text; None if that is not known.

        Args:
            clear_bytes: The length of the value in UTF-8, in bytes.
        """
        if self.method is Method.HASH:
            return HASH_LENGTH
        if self.method is Method.REDACT:
            return len(REDACTED)
        if self.method is Method.TRUNCATE:
            return self.truncation.max_length
        if self.method is Method.LEAVES:
            return None
        return token_length(padded_length(self._salted(clear_bytes), self.pad))

    def longest_clear_value(self, width: int) -> int | None:
        """Return the longest value, in bytes of UTF-8, whose stored form fits; None if any does.

        Args:
            width: The width of the column, in characters.
        """
        if self.method not in (Method.DETERMINISTIC, Method.RANDOM):
            return None
        plain_bytes = longest_clear_value(width)
        if self.pad is not None:  # at least one byte is added
            plain_bytes = plain_bytes // self.pad * self.pad - 1
        return plain_bytes - self._salted(0)

    def _salted(self, clear_bytes: int) -> int:
        return clear_bytes + (SALT_BYTES if self.method is Method.RANDOM else 0)
