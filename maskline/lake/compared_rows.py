"""Which rows a copy has, where transaction ids do not tell: rows are compared.

A row is known by its message id; one that has none, older than the job, by all of its values. A message has the same
day in the table and in the copy, so no more is held than the ids of one day.
"""

from __future__ import annotations

from collections import Counter
from datetime import date

import pyarrow as pa

from maskline.lake.columns import MESSAGE_ID
from maskline.lake.row_digests import RowDigests
from maskline.lake.table import DataFile, LakeVersion


class ComparedRows:
    """Tells which rows a version of a copy has, and which it lacks.

    The rows of a day should come one after the other, for its ids are read when it begins.

    Args:
        version: The version.

    Attributes:
        found: How many of the rows asked for it has.
    """

    def __init__(self, version: LakeVersion) -> None:
        self._version = version
        self._digests = RowDigests(version.columns)
        self._day: date | None = None
        self._is_loaded = False
        self._ids: set[str] = set()
        self._without_id: Counter[int] = Counter()
        self.found = 0

    def lacking(self, day: date | None, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return those of some rows of a day that the copy lacks."""
        return rows.filter(pa.array(self._is_lacking(day, rows), pa.bool_()))

    def present(self, day: date | None, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Return those of some rows of a day that the copy has."""
        return rows.filter(pa.array([not is_lacking for is_lacking in self._is_lacking(day, rows)], pa.bool_()))

    def _is_lacking(self, day: date | None, rows: pa.RecordBatch) -> list[bool]:
        if not self._is_loaded or day != self._day:
            self._load(day)
        ids = rows.column(MESSAGE_ID).to_pylist()
        lacking = [message_id is not None and message_id not in self._ids for message_id in ids]
        if None in ids:
            for place, digest in enumerate(self._digests.of(rows)):
                if ids[place] is None:
                    lacking[place] = not self._without_id[digest]
                    self._without_id[digest] -= not lacking[place]
        self.found += len(ids) - sum(lacking)
        return lacking

    def _load(self, day: date | None) -> None:
        self._day, self._is_loaded = day, True
        self._ids = set()
        self._without_id = Counter()
        for file in self._version.files():
            if file.day == day:
                self._load_file(file)

    def _load_file(self, file: DataFile) -> None:
        has_rows_without = False
        for batch in self._version.read(file, only=[MESSAGE_ID]):
            ids = batch.column(MESSAGE_ID)
            self._ids.update(ids.drop_null().to_pylist())
            has_rows_without = has_rows_without or ids.null_count > 0
        if has_rows_without:
            for batch in self._version.read(file):
                without = batch.filter(batch.column(MESSAGE_ID).is_null())
                self._without_id.update(self._digests.of(without))
