"""The form of what a masked column stores: a second line of defense, which tells a value in clear from a token."""

from __future__ import annotations

import re

import msgspec

from maskline.masks.hash import HASH_LENGTH
from maskline.masks.redact import REDACTED
from maskline.masks.salts import SALT_BYTES
from maskline.masks.tokens import token_length
from maskline.streams.columns import Column
from maskline.streams.masks import Method

_TOKEN_BEGINNING = "A[Q-Za-f]"  # noqa: S105 - 0x01, with which Tink's prefix begins, and four bits of a key's id
_FORMS = {
    Method.DETERMINISTIC: (_TOKEN_BEGINNING, token_length(0), None),
    Method.RANDOM: (_TOKEN_BEGINNING, token_length(SALT_BYTES), None),
    Method.HASH: ("", HASH_LENGTH, HASH_LENGTH),
    Method.REDACT: (re.escape(REDACTED), len(REDACTED), len(REDACTED)),
}


class StoredForm(msgspec.Struct, frozen=True):
    """How a stored token begins, and how long it is.

    Attributes:
        beginning: What each value begins with: a regular expression that Python and Postgres read alike.
        min_length: How many characters it has at least.
        max_length: How many it has at most, or None.
    """

    beginning: str
    min_length: int
    max_length: int | None

    def fits(self, value: str) -> bool:
        """Return whether a value has the form of what the mask stores; a value in clear hardly ever has.

        Args:
            value: What is stored.
        """
        is_long_enough = len(value) >= self.min_length
        is_short_enough = self.max_length is None or len(value) <= self.max_length
        return is_long_enough and is_short_enough and re.match(self.beginning, value) is not None


def stored_form(column: Column) -> StoredForm | None:
    """Return the form of what a column stores.

    Args:
        column: A column of a stream.

    Returns:
        None where it is stored in clear, in part or in whole, or is a document.
    """
    form = _FORMS.get(column.mask.method) if column.mask is not None else None
    return None if form is None or not column.type.is_text else StoredForm(*form)
