"""Bringing the texts of a column into their normal form; texts that stand for no value become NULL."""

from __future__ import annotations

from collections.abc import Callable

from maskline.masks.normalization import NormalForm
from maskline.records import Reason
from maskline.streams.columns import Column
from maskline.streams.failures import InvalidValueError

Normalize = Callable[[str], str | None]
"""Returns the text to mask, the very same object where nothing is to be changed; None for NULL."""


def normalizer(column: Column, count_invalid: Callable[[], None]) -> Normalize | None:
    """Return the function that brings a column's texts into their normal form, or None if they stay as they are.

    It raises an `InvalidValueError` for a value without a normal form, where the column rejects such values.

    Args:
        column: The column.
        count_invalid: Called for each value without a normal form that is masked as it is.
    """
    if column.normalization is None:
        return _without_missing(column, _itself) if column.missing else None
    normal_form = column.normalization.normal_form()
    name = column.normalization.name

    def normalize(value: str) -> str | None:
        form = normal_form(value)
        if form is not None:
            return form
        if column.rejects_invalid:
            raise InvalidValueError(Reason.NOT_ALLOWED, f"has no normal form as {name}")
        count_invalid()
        return value

    if not column.missing:
        return normalize
    return _without_missing(column, normalize, normal_form)


def _without_missing(column: Column, normalize: Normalize, normal_form: NormalForm | None = None) -> Normalize:
    missing = frozenset(column.missing)
    if normal_form is not None:
        missing |= {form for text in column.missing if (form := normal_form(text)) is not None}

    def normalize_present(value: str) -> str | None:
        if value in missing or value.strip() in missing:
            return None
        form = normalize(value)
        return None if form in missing else form

    return normalize_present


def _itself(value: str) -> str:
    return value
