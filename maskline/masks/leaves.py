"""``leaves``: a document whose texts, numbers and truth values become tokens, while names and structure stay.

A text is masked in the domain as any text is. A number and a truth value are masked as their JSON text, in the domain
with ``#json`` behind it, so that they come back as what they were. Null stays null, and so do empty objects and arrays.
*What it does not hide*: the names in the document, how many elements an array has, which fields are there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from maskline.errors import TokenError
from maskline.masks.deterministic import DeterministicMask, Masker

JSON_SUFFIX = "#json"

EVERY_ELEMENT = None
"""The step to every element of an array, in `ClearPath`."""

ClearPath: TypeAlias = tuple[str | int | None, ...]
"""Where in a document something stays in clear: a name, the place in an array, or `EVERY_ELEMENT`."""

_Change: TypeAlias = Callable[[object], object]


def change_leaves(document: object, clear: Sequence[ClearPath], change: _Change) -> object:
    """Return a document with each leaf changed that does not stay in clear; null stays null.

    Args:
        document: A document as the JSON reader has it; it is not changed.
        clear: What stays in clear, with all that is below it.
        change: Makes of a text, a number or a truth value what is to stand there.
    """
    if () in clear or document is None:
        return document
    if isinstance(document, dict):
        return {
            name: change_leaves(inner, [path[1:] for path in clear if path[0] == name], change)
            for name, inner in document.items()
        }
    if isinstance(document, list):
        return [
            change_leaves(inner, [path[1:] for path in clear if path[0] in (EVERY_ELEMENT, place)], change)
            for place, inner in enumerate(document)
        ]
    return change(document)


class LeavesMask:
    """Masks the leaves of documents.

    Args:
        masker: Encrypts and decrypts.
        domain: The domain of its texts.
        clear: What stays in clear, with all that is below it.
        encode: Writes a number or a truth value as JSON.
        decode: Reads such a text.
        pad: As for a `DeterministicMask`.
    """

    def __init__(
        self,
        masker: Masker,
        domain: str,
        clear: Sequence[ClearPath],
        encode: Callable[[object], str],
        decode: Callable[[str], object],
        pad: int | None = None,
    ) -> None:
        self._masker = masker
        self._domain = domain
        self._texts = DeterministicMask(masker, domain, pad)
        self._others = DeterministicMask(masker, domain + JSON_SUFFIX, pad)
        self._clear = clear
        self._encode = encode
        self._decode = decode

    def mask(self, document: object) -> object:
        """Return a document of tokens.

        Args:
            document: A document as the JSON reader has it; it is not changed.
        """
        return change_leaves(document, self._clear, self._mask_leaf)

    def unmask(self, document: object) -> object:
        """Return the document that was masked.

        Raises:
            TokenError: One of its tokens cannot be turned back, or something in it is no token.
        """
        return change_leaves(document, self._clear, self._unmask_leaf)

    def remask(self, document: object) -> object:
        """Return the document with its tokens under the primary key.

        Raises:
            TokenError: As `unmask`.
        """
        return change_leaves(document, self._clear, self._remask_leaf)

    def _mask_leaf(self, value: object) -> object:
        return self._texts.mask(value) if isinstance(value, str) else self._others.mask(self._encode(value))

    def _unmask_leaf(self, token: object) -> object:
        text = _as_token(token)
        try:
            return self._texts.unmask(text)
        except TokenError as not_a_text:
            try:
                json_text = self._others.unmask(text)
            except TokenError:
                raise not_a_text from None
            return self._decode(json_text)

    def _remask_leaf(self, token: object) -> object:
        text = _as_token(token)
        try:
            return self._masker.remask(text, self._domain)
        except TokenError as not_a_text:
            try:
                return self._masker.remask(text, self._domain + JSON_SUFFIX)
            except TokenError:
                raise not_a_text from None


def _as_token(value: object) -> str:
    if not isinstance(value, str):
        raise TokenError("has a number or a truth value where a token belongs; was it clear when it was written?")
    return value
