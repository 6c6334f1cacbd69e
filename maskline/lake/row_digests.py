"""Keyed hashes of the rows of a copy, by which rows are compared without being held."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Collection, Iterator
from typing import Any

import pyarrow as pa

from maskline.lake.columns import LakeColumn
from maskline.streams.failures import InvalidValueError
from maskline.streams.json_text import decode_json, encode_json


class RowDigests:
    """Makes hashes of rows. The key is new each time: a hash says nothing of a value to anybody.

    Args:
        columns: The columns of the copy.
    """

    def __init__(self, columns: Collection[LakeColumn]) -> None:
        self._documents = {column.name for column in columns if column.is_tokenized_document}
        self._key = secrets.token_bytes(32)

    def of(self, batch: pa.RecordBatch) -> Iterator[int]:
        """Return the hash of each row, a number of 64 bits.

        Args:
            batch: The rows.
        """
        columns = [self._values(batch, name) for name in sorted(batch.schema.names)]
        for row in zip(*columns, strict=True):
            digest = hashlib.blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=8, key=self._key)
            yield int.from_bytes(digest.digest(), "big")

    def _values(self, batch: pa.RecordBatch, name: str) -> list[Any]:
        values: list[Any] = _plain(batch.column(name)).to_pylist()
        return list(map(_document, values)) if name in self._documents else values


def _document(text: str | None) -> str | None:
    """Return a document as we write it: Postgres puts spaces into its own, and a re-encrypted one has none."""
    try:
        return None if text is None else encode_json(decode_json(text))
    except InvalidValueError:
        return text


def _plain(array: pa.Array) -> pa.Array:
    """Return numbers in place of dates and times: they are quicker to read, and Python knows no years beyond 9999."""
    return array.cast(_plain_type(array.type))


def _plain_type(arrow_type: pa.DataType) -> pa.DataType:
    if pa.types.is_list(arrow_type):
        return pa.list_(_plain_type(arrow_type.value_type))
    if pa.types.is_timestamp(arrow_type):
        return pa.int64()
    return pa.int32() if pa.types.is_date32(arrow_type) else arrow_type
