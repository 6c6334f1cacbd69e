"""The tokens that a known value may have in a column: one under each key that may have masked it."""

from __future__ import annotations

from collections.abc import Callable

from maskline.errors import ArgumentError
from maskline.keys import HashKeyset, Keyset
from maskline.masks.deterministic import Masker
from maskline.masks.tokens import encode_token, plain_texts
from maskline.streams.column_mask import column_mask
from maskline.streams.columns import Column
from maskline.streams.failures import InvalidValueError
from maskline.streams.normalizing import normalizer

MaskText = Callable[[str], str | None]
"""Returns what stands in a column for a text, or None for one that the column takes for missing."""


def text_mask(column: Column, masker: Masker, hash_keyset: HashKeyset | None = None) -> MaskText:
    """Return the function that masks a text like the column's values, which are brought into normal form first.

    Args:
        column: A masked column.
        masker: Encrypts.
        hash_keyset: The keyset of hashes, if there is one.

    Raises:
        ArgumentError: Equal values do not have equal tokens in this column, or not under this keyset; or the column is
            hashed, and there is no keyset of hashes.
    """
    if column.mask is None or not column.mask.keeps_equality:
        method = column.mask.name if column.mask else "stored in clear"
        raise ArgumentError(
            f"column {column.name}: is {method}; only a value of a column that is masked deterministically, or "
            "hashed, has one token under a key"
        )
    normalize = normalizer(column, lambda: None)
    mask = column_mask(column, masker, hash_keyset)

    def mask_text(text: str) -> str | None:
        value = text if normalize is None else normalize(text)
        if value is None:
            return None
        masked: str | list[str] = mask([value] if column.type.is_array else value)
        return masked[0] if isinstance(masked, list) else masked

    return mask_text


class SearchTokens:
    """Makes the tokens that a value has, or had, in a column.

    Args:
        column: The column.
        keyset: The keys that may have masked it.
        hash_keyset: The keyset of hashes, if there is one.

    Raises:
        ArgumentError: As `text_mask`.
    """

    def __init__(self, column: Column, keyset: Keyset, hash_keyset: HashKeyset | None = None) -> None:
        keys = keyset.each_alone()
        is_hashed = column.mask is not None and column.mask.takes_hash_keyset
        self._masks = [text_mask(column, Masker(key), hash_keyset) for key in keys if not key.has_raw_keys]
        if is_hashed:  # by no key of the keyset that masks
            del self._masks[1:]
        self._raw_keys = [] if is_hashed else [key for key in keys if key.has_raw_keys]
        self._domain = (column.domain or "").encode()

    def of(self, value: str) -> list[str]:
        """Return the tokens of a value under every enabled key, that of the primary first.

        Under a key that was imported, they are the texts in which plain AES-SIV is commonly written: base64 of either
        alphabet, padded or not, and hexadecimal digits.

        Args:
            value: Any text; one that the column rejects, or takes for missing, has none.
        """
        try:
            tokens = [token for mask in self._masks if (token := mask(value)) is not None]
        except InvalidValueError:
            return []
        for key in self._raw_keys:
            tokens += plain_texts(encode_token(key.encrypt(value.encode(), self._domain)))
        return tokens
