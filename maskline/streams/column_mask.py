"""From a column's value to what is stored for it, and back if the mask is reversible."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeAlias

from maskline.errors import ArgumentError
from maskline.keys import HashKeyset
from maskline.masks.deterministic import DeterministicMask, Masker
from maskline.masks.hash import HashMask
from maskline.masks.leaves import EVERY_ELEMENT, ClearPath, LeavesMask
from maskline.masks.random import RandomMask
from maskline.masks.redact import REDACTED
from maskline.masks.truncate import Truncation, truncated_date_text
from maskline.records import Reason
from maskline.streams.columns import Column
from maskline.streams.failures import InvalidValueError
from maskline.streams.json_text import decode_json, encode_json
from maskline.streams.masks import Mask, Method
from maskline.streams.paths import EVERY
from maskline.streams.times import read_date, timestamp_reader

Change: TypeAlias = Callable[[Any], Any]
"""Turns a value, which is not None, into another."""


def column_mask(column: Column, masker: Masker, hash_keyset: HashKeyset | None = None) -> Change:
    """Return the function from a column's value, as `maskline.streams.decoding` reads it, to what is stored.

    Args:
        column: A masked column.
        masker: Encrypts.
        hash_keyset: The keyset of hashes, if there is one.

    Raises:
        ArgumentError: The column's mask takes the keyset of hashes, and there is none.
    """
    change = element_mask(column, masker, hash_keyset)
    return _of_each(change) if column.type.is_array else change


def element_mask(column: Column, masker: Masker, hash_keyset: HashKeyset | None = None) -> Change:
    """Return the function from a single value, or one element of an array, to what is stored.

    Args:
        column: A masked column.
        masker: Encrypts.
        hash_keyset: The keyset of hashes, if there is one.

    Raises:
        ArgumentError: As `column_mask`.
    """
    mask = _mask_of(column)
    domain = column.domain or ""
    change: Change
    if mask.method is Method.HASH:
        if hash_keyset is None:
            raise ArgumentError(
                f"hash_keyset: missing; column {column.name} is hashed, which takes a keyset of its own"
            )
        change = HashMask(hash_keyset, domain).mask
    elif mask.method is Method.REDACT:
        change = _redact
    elif mask.method is Method.TRUNCATE:
        change = _truncate(column, mask.truncation)
    elif mask.method is Method.LEAVES:
        change = _mask_leaves(column, _leaves(column, mask, masker))
    else:
        change = _cipher(mask, masker, domain).mask
    return change


def column_unmask(column: Column, masker: Masker) -> Change:
    """Return the function from what a column stores (text, a list of texts, or a document's text) to its value.

    It raises a `TokenError` where it cannot.

    Args:
        column: A masked column.
        masker: Decrypts.

    Raises:
        ArgumentError: Nobody can bring back what this column's mask stores.
    """
    mask = _mask_of(column)
    if not mask.is_reversible:
        raise ArgumentError(f"column {column.name}: {irreversible(mask)}")
    if mask.method is Method.LEAVES:
        leaves = _leaves(column, mask, masker)
        return lambda text: encode_json(leaves.unmask(decode_json(text)))
    unmask = _cipher(mask, masker, column.domain or "").unmask
    return _of_each(unmask) if column.type.is_array else unmask


def element_unmask(column: Column, masker: Masker) -> Change:
    """Return the function from a single token, or that of one element of an array, to its value.

    Args:
        column: A masked column.
        masker: Decrypts.

    Raises:
        ArgumentError: Nobody can bring back what this column's mask stores.
    """
    unmask = column_unmask(column, masker)
    if not column.type.is_array:
        return unmask
    return lambda token: unmask([token])[0]


def column_remask(column: Column, masker: Masker) -> Change:
    """Return the function that re-encrypts what a column stores under the primary key.

    It raises a `TokenError` where it cannot, or where what comes out would not fit the column.

    Args:
        column: A column whose mask is reversible.
        masker: Decrypts and encrypts.
    """
    mask = _mask_of(column)
    domain = column.domain or ""
    if mask.method is Method.LEAVES:
        leaves = _leaves(column, mask, masker)
        return lambda text: encode_json(leaves.remask(decode_json(text)))

    def remask(token: str) -> str:
        return masker.remask(token, domain)

    return _of_each(remask) if column.type.is_array else remask


def clear_leaves(column: Column) -> list[ClearPath]:
    """Return what stays in clear of a column's documents, as `maskline.masks.leaves` has it.

    Args:
        column: A column whose leaves are masked.
    """
    return [tuple(EVERY_ELEMENT if step is EVERY else step for step in path.steps) for path in column.clear_paths]


def irreversible(mask: Mask) -> str:
    """Return why what a mask stores cannot be unmasked."""
    return {
        Method.HASH: "is hashed, and nobody turns a hash back; mask values that you know and compare",
        Method.TRUNCATE: "keeps a part of its values in clear, and the rest was never stored",
        Method.REDACT: "is redacted, so its values were never stored",
    }[mask.method]


def _mask_of(column: Column) -> Mask:
    assert column.mask is not None, "the column is masked"
    return column.mask


def _cipher(mask: Mask, masker: Masker, domain: str) -> DeterministicMask | RandomMask:
    if mask.method is Method.RANDOM:
        return RandomMask(masker, domain, mask.pad)
    return DeterministicMask(masker, domain, mask.pad)


def _leaves(column: Column, mask: Mask, masker: Masker) -> LeavesMask:
    return LeavesMask(masker, column.domain or "", clear_leaves(column), encode_json, decode_json, mask.pad)


def _mask_leaves(column: Column, leaves: LeavesMask) -> Change:
    def mask(document: object) -> str:
        try:
            return encode_json(leaves.mask(document))
        except RecursionError:
            raise InvalidValueError(Reason.NOT_JSON, f"field {column.field} is nested too deep to mask") from None

    return mask


def _redact(_value: object) -> str:
    return REDACTED


def _truncate(column: Column, truncation: Truncation) -> Change:
    is_text_date = truncation.kind == "date" and column.type.is_text

    def truncate(value: object) -> object:
        try:
            return truncated_date_text(truncation, _date(value)) if is_text_date else truncation.truncate(value)
        except InvalidValueError as rejection:
            raise InvalidValueError(rejection.reason, f"field {column.field} {rejection.detail}") from None
        except ValueError as error:
            raise InvalidValueError(Reason.WRONG_TYPE, f"field {column.field} {error}") from None

    return truncate


_read_time = timestamp_reader(is_rounded=True)


def _date(value: object) -> date | datetime:
    """Read a date, or the date in UTC of a time."""
    try:
        return read_date(value)
    except InvalidValueError:
        return _read_time(value)


def _of_each(change: Change) -> Change:
    def change_each(values: list[Any]) -> list[Any]:
        return [None if value is None else change(value) for value in values]

    return change_each
