"""Bringing the tokens of the opaque copy under the primary key after a rotation, as ``remask`` does in the table.

The copy's own rows are re-encrypted: masking is deterministic, so their tokens become those of the table, and rows that
the table no longer has are re-encrypted, too. All of it is one commit: readers join under the old key or the new one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from maskline.errors import TokenError
from maskline.keys import Keyset
from maskline.lake.columns import KEY_ID, MESSAGE_ID
from maskline.lake.rewrite import rewrite
from maskline.lake.table import DataFile, LakeTable, LakeVersion
from maskline.postgres.remask_statements import stream_table

MAX_LISTED = 20


class RemaskResult(msgspec.Struct):
    """What a re-encryption did.

    Attributes:
        rows: How many rows were brought under the primary key.
        left: How many rows of other keys stay as they are.
        named: Some of those, and why.
        unreadable: How many of them are under each key that the keyset does not hold, or holds disabled.
        older_rows: How many rows name no key, so that they are older than the job, and were left alone.
    """

    rows: int = 0
    left: int = 0
    named: list[str] = []
    unreadable: dict[int, int] = {}
    older_rows: int = 0


class LakeRemasker:
    """Re-encrypts an opaque copy.

    Args:
        table: The opaque copy.
        keyset: Holds the older keys, enabled, and the new primary.
    """

    def __init__(self, table: LakeTable, keyset: Keyset) -> None:
        self._table = table
        self._primary = keyset.primary_key_id
        self._old = keyset.key_ids - {keyset.primary_key_id}
        self._takes_rows_without_key = keyset.has_raw_keys
        self._columns = stream_table(table.stream, keyset).columns
        self._result = RemaskResult()

    def waiting(self) -> int:
        """Return how many rows of older keys the copy has."""
        version = self._table.newest()
        return sum(
            count
            for file in version.files()
            for key_id, count in _key_ids(version, file).items()
            if self._takes(key_id)
        )

    def remask(self) -> RemaskResult:
        """Re-encrypt all rows of older keys in one commit; none if there are no such rows.

        Raises:
            LakeConflictError: The copy changed meanwhile, and nothing was done.
            LakeError: The copy may not be read or written.
            LakeUnavailableError: The store does not answer.
        """
        self._result = RemaskResult()
        version = self._table.newest()
        files = []
        for file in version.files():
            key_ids = _key_ids(version, file)
            if any(map(self._takes, key_ids)):
                files.append(file)
            self._count_others(key_ids)
        if files:
            rewrite(version, files, self._remasked_values, {"what": "remask", "key_id": self._primary})
        return self._result

    def _takes(self, key_id: int | None) -> bool:
        return self._takes_rows_without_key if key_id is None else key_id in self._old

    def _count_others(self, key_ids: Counter[int | None]) -> None:
        for key_id, count in key_ids.items():
            if self._takes(key_id) or key_id == self._primary:
                continue
            if key_id is None:
                self._result.older_rows += count
            else:
                self._result.left += count
                self._result.unreadable[key_id] = self._result.unreadable.get(key_id, 0) + count

    def _remasked_values(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        key_ids = batch.column(KEY_ID).to_pylist()
        columns = {column.name: batch.column(column.name).to_pylist() for column in self._columns}
        message_ids = batch.column(MESSAGE_ID).to_pylist()
        for place, key_id in enumerate(key_ids):
            if self._takes(key_id):
                self._remask_row(columns, place, key_ids, message_ids)
        changed: dict[str, Sequence[Any]] = {**columns, KEY_ID: key_ids}
        arrays = [
            pa.array(changed[field.name], field.type) if field.name in changed else batch.column(field.name)
            for field in batch.schema
        ]
        return pa.RecordBatch.from_arrays(arrays, schema=batch.schema)

    def _remask_row(
        self, columns: dict[str, list[Any]], place: int, key_ids: list[int | None], message_ids: list[str | None]
    ) -> None:
        remasked_values = {}
        for column in self._columns:
            token = columns[column.name][place]
            try:
                remasked_values[column.name] = None if token is None else column.remask(token)
            except TokenError as error:
                self._result.left += 1
                if len(self._result.named) < MAX_LISTED:
                    row = message_ids[place] or "without message id"
                    self._result.named.append(f"row {row} stays as it is: {column.name} {error}")
                return
        for name, token in remasked_values.items():
            columns[name][place] = token
        key_ids[place] = self._primary
        self._result.rows += 1


def _key_ids(version: LakeVersion, file: DataFile) -> Counter[int | None]:
    key_ids: Counter[int | None] = Counter()
    for batch in version.read(file, only=[KEY_ID]):
        key_ids.update(batch.column(KEY_ID).to_pylist())
    return key_ids
