"""Rows of a stream's table as batches of a copy: unmasked where the copy is in clear, checked where it is of tokens.

One rule for rows that are older than the job: a row that names no key was not masked by it. Its masked columns stay as
they are, in either copy, unless a key of the keyset brings their values back; such rows are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from maskline.errors import TokenError
from maskline.lake.columns import MESSAGE_ID, NOT_HELD, LakeColumn, arrow_schema
from maskline.lake.source import Row
from maskline.masks.deterministic import Masker
from maskline.streams.column_mask import Change, column_unmask
from maskline.streams.failures import InvalidValueError
from maskline.streams.stored_form import StoredForm

MAX_LISTED = 20


class Oddities(msgspec.Struct):
    """What is not as usual in the rows of a publication or a comparison, none of which stops it.

    Attributes:
        older_rows: How many rows name no key, so that they are older than the job, and their masked columns as they
            were.
        not_held: How many values the lake cannot hold, by column: infinity for a time, say. They are NULL there.
        rows: Some rows of those values, each named with its column.
    """

    older_rows: int = 0
    not_held: Counter[str] = msgspec.field(default_factory=Counter)
    rows: list[str] = []

    def add(self, other: Oddities) -> None:
        """Add those of other rows."""
        self.older_rows += other.older_rows
        self.not_held += other.not_held
        self.rows = [*self.rows, *other.rows][:MAX_LISTED]


class RowBatches:
    """Turns rows of a table into batches of a copy.

    Args:
        columns: The copy's columns.
        masker: What unmasks those that are unmasked on the way.

    Attributes:
        columns: The copy's columns.
        oddities: Those of all rows so far.
    """

    def __init__(self, columns: Sequence[LakeColumn], masker: Masker | None) -> None:
        self.columns = columns
        self._unmask: dict[str, Change] = {}
        for column in columns:
            if column.unmasked is not None:
                assert masker is not None, "a copy with columns to unmask is the clear one"
                self._unmask[column.name] = column_unmask(column.unmasked, masker)
        self._schema = arrow_schema(tuple(columns))
        self._message_id = [column.name for column in columns].index(MESSAGE_ID)
        self.oddities = Oddities()

    def batch(self, rows: list[Row]) -> pa.RecordBatch:
        """Return a batch.

        Args:
            rows: Rows as `RowSource.reading` yields them, not empty.

        Raises:
            TokenError: A token cannot be unmasked, or what the job masked is no token; the message names the row and
                the column.
        """
        *columns, key_ids = zip(*rows, strict=True)
        self.oddities.older_rows += key_ids.count(None)
        arrays = []
        for column, values in zip(self.columns, columns, strict=True):
            taken: Sequence[Any] = values
            if column.unmasked is not None:
                taken = self._unmasked(column, values, rows)
            elif column.form is not None:
                self._check_masked(column, column.form, values, rows)
            arrays.append(self._array(column, taken, rows))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _array(self, column: LakeColumn, values: Sequence[Any], rows: list[Row]) -> pa.Array:
        try:
            if not _may_stand_for_others(column.type) or not _has(values, NOT_HELD):
                return pa.array(values, column.type)
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            pass
        held: list[Any] = []
        for value, row in zip(values, rows, strict=True):
            kept = _as_held(value, column.type)
            held.append(kept)
            if kept != value:
                self.oddities.not_held[column.source] += 1
                if len(self.oddities.rows) < MAX_LISTED:
                    self.oddities.rows.append(f"row {self._named(row)}: {column.source}")
        return pa.array(held, column.type)

    def _check_masked(self, column: LakeColumn, form: StoredForm, values: Sequence[Any], rows: list[Row]) -> None:
        for value, row in zip(values, rows, strict=True):
            if row[-1] is not None and not all(map(form.fits, _texts(value))):
                raise TokenError(
                    f"row {self._named(row)}: what is in {column.source} is no token, and may be in clear; nothing of "
                    "this publication was published"
                )

    def _unmasked(self, column: LakeColumn, stored: Sequence[Any], rows: list[Row]) -> list[Any]:
        unmask = self._unmask[column.name]
        values: list[Any] = []
        for value, row in zip(stored, rows, strict=True):
            try:
                values.append(None if value is None else unmask(value))
            except (TokenError, InvalidValueError) as error:
                if row[-1] is None:
                    values.append(value)
                    continue
                raise TokenError(
                    f"row {self._named(row)}: the token in {column.source} {error}; nothing of this publication was "
                    "published"
                ) from None
        return values

    def _named(self, row: Row) -> str:
        return row[self._message_id] or "without message id"


def _texts(value: Any) -> Iterator[str]:
    """Return the texts of a value: itself, or those of an array."""
    if isinstance(value, list):
        return (text for text in value if text is not None)
    return iter(() if value is None else (value,))


def _may_stand_for_others(arrow_type: pa.DataType) -> bool:
    """Return whether `NOT_HELD` is no value of its own: a bigint may be that number."""
    value_type = arrow_type.value_type if pa.types.is_list(arrow_type) else arrow_type
    return bool(pa.types.is_timestamp(value_type) or pa.types.is_date(value_type))


def _has(values: Sequence[Any], wanted: int) -> bool:
    return wanted in values or any(wanted in value for value in values if isinstance(value, list))


def _as_held(value: Any, arrow_type: pa.DataType) -> Any:
    """Return a value, or None in place of it, or of the elements of a list, where the lake cannot hold it."""
    if isinstance(value, list) and pa.types.is_list(arrow_type):
        return [_as_held(element, arrow_type.value_type) for element in value]
    if value == NOT_HELD and _may_stand_for_others(arrow_type):
        return None
    try:
        pa.array([value], arrow_type)
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        return None
    return value
