"""Comparing a copy with its table: counts and checksums of each day, and the rows that differ by name.

Both sides are read as a publication would write them, and a day's checksum is the sum of its rows' keyed hashes, so the
order of rows does not matter.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterable, Iterator
from datetime import date

import msgspec
import pyarrow as pa

from maskline.lake.columns import MESSAGE_ID, PARTITION
from maskline.lake.compared_rows import ComparedRows
from maskline.lake.files import by_day
from maskline.lake.row_batches import Oddities, RowBatches
from maskline.lake.row_digests import RowDigests
from maskline.lake.source import RowSource
from maskline.lake.table import LakeTable, LakeVersion
from maskline.masks.deterministic import Masker

MAX_ROWS_COMPARED = 2_000_000
"""Rows of days that differ are held in memory, by message id, to find out which of them do; not if they are more."""

_MODULUS = 2**64


class DayDifference(msgspec.Struct, frozen=True):
    """A day on which a copy is not as its table. Where the rows of all such days are too many, none is named.

    Attributes:
        day: The day, or None for the rows without one.
        in_table: How many rows the table has.
        in_copy: How many rows the copy has.
        missing: The message ids that only the table has.
        extra: The message ids that only the copy has, or has more than once.
        changed: The message ids whose rows are not the same.
    """

    day: date | None
    in_table: int
    in_copy: int
    missing: list[str]
    extra: list[str]
    changed: list[str]


class Verification(msgspec.Struct, frozen=True):
    """What a comparison found.

    Attributes:
        rows: How many rows the copy has.
        days: On how many days.
        differences: The days that differ; none if the copy is as its table.
        oddities: What is not as usual in the rows of the table, and no difference.
    """

    rows: int
    days: int
    differences: list[DayDifference]
    oddities: Oddities = msgspec.field(default_factory=Oddities)


class _Sum(msgspec.Struct):
    rows: int = 0
    checksum: int = 0


class Verifier:
    """Compares a copy with its table, up to the copy's horizon.

    Args:
        source: The stream's table.
        table: The copy.
        masker: Unmasks for the clear copy; the opaque copy needs none.
    """

    def __init__(self, source: RowSource, table: LakeTable, masker: Masker | None = None) -> None:
        self._source = source
        self._table = table
        self._masker = masker
        self._digests = RowDigests(table.columns)

    def verify(self) -> Verification:
        """Compare.

        Raises:
            TokenError: A token in the table cannot be unmasked.
            DatabaseError: The table may not be read.
            LakeError: The copy is not there, or may not be read.
            UnavailableError: One of them does not answer.
        """
        version = self._table.newest()
        batches = self._batches(version)
        in_table, in_copy = self._sums(self._rows_of_table(version, batches)), self._sums(version.rows())
        differing = {day for day in in_table.keys() | in_copy.keys() if in_table.get(day) != in_copy.get(day)}
        none = _Sum()
        rows = sum(in_table.get(day, none).rows + in_copy.get(day, none).rows for day in differing)
        named = self._named(version, differing) if differing and rows <= MAX_ROWS_COMPARED else {}
        return Verification(
            sum(found.rows for found in in_copy.values()),
            len(in_copy),
            [
                DayDifference(
                    day, in_table.get(day, none).rows, in_copy.get(day, none).rows, *named.get(day, ([], [], []))
                )
                for day in sorted(differing, key=str)
            ],
            batches.oddities,
        )

    def _batches(self, version: LakeVersion) -> RowBatches:
        columns = [column for column in self._table.columns if column.name in version.column_names]
        return RowBatches(columns, self._masker)

    def _rows_of_table(self, version: LakeVersion, batches: RowBatches) -> Iterator[pa.RecordBatch]:
        with self._source.reading(batches.columns, self._source.up_to(version.horizon or 0)) as rows:
            yield from map(batches.batch, rows)
        not_proved = self._source.not_proved(version.table_id, version.horizon or 0)
        if not_proved is not None:
            compared = ComparedRows(version)
            with self._source.reading(batches.columns, not_proved) as rows:
                for batch in map(batches.batch, rows):
                    yield from (compared.present(day, of_day) for day, of_day in by_day(batch))

    def _sums(self, batches: Iterable[pa.RecordBatch]) -> dict[date | None, _Sum]:
        sums: dict[date | None, _Sum] = {}
        for batch in batches:
            for day, digest in zip(batch.column(PARTITION).to_pylist(), self._digests.of(batch), strict=True):
                found = sums.setdefault(day, _Sum())
                found.rows += 1
                found.checksum = (found.checksum + digest) % _MODULUS
        return sums

    def _named(
        self, version: LakeVersion, days: set[date | None]
    ) -> dict[date | None, tuple[list[str], list[str], list[str]]]:
        in_table = self._by_id(self._rows_of_table(version, self._batches(version)), days)
        in_copy = self._by_id(version.rows(), days)
        named = {}
        for day in days:
            ours, theirs = in_table.get(day, Counts()), in_copy.get(day, Counts())
            only_ours = {message_id for message_id, _ in ours - theirs}
            only_theirs = {message_id for message_id, _ in theirs - ours}
            parts = (only_ours - only_theirs, only_theirs - only_ours, only_ours & only_theirs)
            missing, extra, changed = (sorted(part) for part in parts)
            named[day] = (missing, extra, changed)
        return named

    def _by_id(
        self, batches: Iterable[pa.RecordBatch], days: set[date | None]
    ) -> dict[date | None, Counts[tuple[str, int]]]:
        found: dict[date | None, Counts[tuple[str, int]]] = {}
        for batch in batches:
            ids, of_days = batch.column(MESSAGE_ID).to_pylist(), batch.column(PARTITION).to_pylist()
            for day, message_id, digest in zip(of_days, ids, self._digests.of(batch), strict=True):
                if day in days:
                    found.setdefault(day, Counts())[(message_id or "without message id", digest)] += 1
        return found
