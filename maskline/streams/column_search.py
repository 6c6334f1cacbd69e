"""What a column stores of values that somebody knows, and stored of them under earlier keys, to find their rows by."""

from __future__ import annotations

import contextlib

from maskline.errors import ArgumentError, UsageError
from maskline.keys import HashKeyset
from maskline.keys.each_key import EachKey
from maskline.masks.hash import HashMask
from maskline.masks.padding import add_padding
from maskline.masks.search import SearchTokens
from maskline.streams.columns import Column
from maskline.streams.failures import InvalidValueError
from maskline.streams.masks import Method
from maskline.streams.normalizing import normalizer


class ColumnSearch:
    """Makes the tokens to look for.

    A value is looked for in its normal form and as it is: rows may be older than the rule of their domain.

    Args:
        column: A masked column.
        keys: The keys that may have masked it.
        hash_keyset: The keyset of hashes, if there is one.

    Raises:
        UsageError: Equal values have no equal tokens in this column, so that nobody finds them.
        ArgumentError: The column is hashed, and there is no keyset of hashes.
    """

    def __init__(self, column: Column, keys: EachKey, hash_keyset: HashKeyset | None = None) -> None:
        assert column.mask is not None, "the column is masked"
        if not column.mask.keeps_equality:
            raise UsageError(
                f"column {column.name}: is masked by {column.mask.name}, and equal values have no equal tokens there, "
                "so nobody finds a value in it"
            )
        if column.mask.method is Method.HASH and hash_keyset is None:
            raise ArgumentError(
                f"hash_keyset: missing; column {column.name} is hashed, which takes a keyset of its own"
            )
        self._domain = column.domain or ""
        self._pad = column.mask.pad
        self._normalize = normalizer(column, lambda: None)
        self._tokens = SearchTokens(keys)
        is_hashed = column.mask.method is Method.HASH
        self._hash = HashMask(hash_keyset, self._domain) if is_hashed and hash_keyset is not None else None

    def of(self, value: str) -> list[str]:
        """Return what the column may hold of a value, each text once.

        Args:
            value: Any text.
        """
        normal: str | None = None
        with contextlib.suppress(InvalidValueError):  # what the column rejects now it may have taken before
            normal = value if self._normalize is None else self._normalize(value)
        forms = dict.fromkeys(form for form in (normal, value) if form is not None)
        if self._hash is not None:
            return [self._hash.mask(form) for form in forms]
        return [
            token
            for form in forms
            for token in self._tokens.of_bytes(add_padding(form.encode(), self._pad), self._domain)
        ]
