"""Publishing what was committed since the last publication to one copy, exactly once.

*Guarantees*: every committed row is in the copy once after a publication that began after its commit, whatever died
when, and however many publishers there are. Data and progress are one commit of the Delta table (see
`maskline.lake.table`), and what a publication takes is complete (see `maskline.lake.source`). *What it does not do*: it
follows no later change of a row; `maskline.lake.remask` and `maskline.lake.erasure` do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from maskline.errors import TokenError, UnavailableError
from maskline.lake.columns import KEY_ID, MESSAGE_ID, LakeColumn, arrow_schema
from maskline.lake.copies import Copy
from maskline.lake.files import FileSize, by_day
from maskline.lake.source import Interval, Row, RowSource
from maskline.lake.table import LakeTable, LakeVersion
from maskline.masks.deterministic import Masker
from maskline.retry import log_retry, retrying
from maskline.streams.column_mask import Change, column_unmask
from maskline.streams.stored_form import StoredForm

ROWS_A_COMMIT = 2_000_000
"""What a publication takes in one commit, so that one that dies has not to begin from the start."""

logger = logging.getLogger(__name__)


class Publication(msgspec.Struct, frozen=True):
    """A commit of a copy.

    Attributes:
        rows: How many rows it added.
        files: In how many files.
        horizon: Up to which transaction the copy is complete now.
    """

    rows: int
    files: int
    horizon: int


class Publisher:
    """Publishes to one copy.

    Args:
        source: The stream's table.
        table: The copy.
        masker: Unmasks for the clear copy; the opaque copy needs none.
        size: How large a file may become.
        rows_a_commit: How many rows one commit takes, but for a single transaction that wrote more.
        stopping: When set, no further commit is begun.
        retry_seconds: How long a commit is tried again while the database or the lake's store is not available.

    Raises:
        ValueError: The clear copy has no masker, or the opaque copy has one.
    """

    def __init__(
        self,
        source: RowSource,
        table: LakeTable,
        masker: Masker | None = None,
        *,
        size: FileSize | None = None,
        rows_a_commit: int = ROWS_A_COMMIT,
        stopping: threading.Event | None = None,
        retry_seconds: float = 300,
    ) -> None:
        if (masker is None) is (table.copy is Copy.CLEARTEXT):
            raise ValueError("the clear copy needs a masker, and only that one does")
        self._source = source
        self._table = table
        self._batches = RowBatches(table.columns, masker)
        self._size = size or FileSize()
        self._rows_a_commit = rows_a_commit
        self._stopping = stopping or threading.Event()
        self._retry = retrying(retry_seconds, self._stopping, log_retry(logger, "publishing"), on=UnavailableError)

    def waiting_rows(self) -> int:
        """Return how many rows have been committed since the last publication, or are about to be."""
        self._retry(self._source.check)
        return int(self._retry(lambda: self._source.waiting(self._table.newest_or_new().horizon or 0).rows))

    def publish(self, advance: Callable[[int], None] = lambda _rows: None) -> Iterator[Publication]:
        """Publish all that was committed until now, and yield each commit.

        Args:
            advance: Called with the number of rows just written to files; a commit that is tried again counts anew.

        Raises:
            TokenError: A token cannot be unmasked, so nothing of its commit was published.
            DatabaseError: The table, a column or a permission is missing, or the database is not the copy's.
            LakeError: The copy is another stream's, or may not be written.
            UnavailableError: One of them did not answer for `retry_seconds`.
        """
        self._retry(self._source.check)
        while not self._stopping.is_set():
            publication = self._retry(self._publish_next, advance)
            if publication is None:
                return
            yield publication

    def _publish_next(self, advance: Callable[[int], None]) -> Publication | None:
        with self._source.exclusive_lock(self._table.copy.value):
            # The version comes before the snapshot of the rows: what is erased in between makes the commit fail.
            version = self._table.newest_or_new()
            logger.debug("publishing: opened")
            first = version.horizon or 0
            if first:
                self._source.check_knows(version.table_id, first, self._table.uri)
            interval = self._source.next_interval(first, self._rows_a_commit)
            if interval is None:
                return None
            logger.debug("publishing: chose")
            self._source.record_intent(self._table.copy, version.table_id, interval)
            logger.debug("publishing: intended")
            if self._table.copy is Copy.CLEARTEXT:
                self._source.record_unmasking(interval, self._table.uri)
                logger.debug("publishing: recorded")
            return self._write(version, interval, advance)

    def _write(self, version: LakeVersion, interval: Interval, advance: Callable[[int], None]) -> Publication:
        writer = version.file_writer(self._size)
        rows = 0
        try:
            with self._source.reading(self._table.columns, interval.first, interval.horizon) as batches:
                for batch in map(self._batches.batch, batches):
                    for day, of_day in by_day(batch):
                        writer.write(day, of_day)
                    rows += batch.num_rows
                    advance(batch.num_rows)
                    logger.debug("publishing: wrote")
            files = writer.finish()
            logger.debug("publishing: closed")
        except BaseException:
            writer.abandon()
            raise
        # From here on the files stay: of a commit that fails, even of one that is refused, nobody knows for sure
        # whether it was made, for the store's client tries again by itself.
        version.commit(files, [], interval.horizon, {"what": "publish", "rows": rows})
        logger.debug("publishing: committed")
        return Publication(rows, len(files), interval.horizon)


class RowBatches:
    """Turns rows of a table into batches of a copy.

    Args:
        columns: The copy's columns.
        masker: What unmasks those that are unmasked on the way.
    """

    def __init__(self, columns: Sequence[LakeColumn], masker: Masker | None) -> None:
        self._columns = columns
        self._unmask: dict[str, Change] = {}
        for column in columns:
            if column.unmasked is not None:
                assert masker is not None, "a copy with columns to unmask is the clear one"
                self._unmask[column.name] = column_unmask(column.unmasked, masker)
        self._schema = arrow_schema(tuple(columns))
        names = [column.name for column in columns]
        self._message_id = names.index(MESSAGE_ID)
        self._key_id = names.index(KEY_ID) if KEY_ID in names else None

    def batch(self, rows: list[Row]) -> pa.RecordBatch:
        """Return a batch.

        Args:
            rows: Rows as `RowSource.reading` yields them, not empty.

        Raises:
            TokenError: A token cannot be unmasked, or what the job masked is no token; the message names the row and
                the column.
        """
        arrays = []
        for column, values in zip(self._columns, zip(*rows, strict=True), strict=True):
            taken: Sequence[Any] = values
            if column.unmasked is not None:
                taken = self._unmasked(column, values, rows)
            elif column.form is not None:
                self._check_masked(column, column.form, values, rows)
            arrays.append(pa.array(taken, column.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self._schema)

    def _check_masked(
        self, column: LakeColumn, form: StoredForm, values: Sequence[str | None], rows: list[Row]
    ) -> None:
        assert self._key_id is not None, "the opaque copy has the key ids"
        for value, row in zip(values, rows, strict=True):
            # A row that names no key is older than the job, or was masked elsewhere in a form of its own.
            if value is not None and row[self._key_id] is not None and not form.fits(value):
                raise TokenError(
                    f"row {row[self._message_id] or 'without message id'}: what is in {column.source} is no token, and "
                    "may be in clear; nothing of this publication was published"
                )

    def _unmasked(self, column: LakeColumn, tokens: Sequence[str | None], rows: list[Row]) -> list[str | None]:
        unmask = self._unmask[column.name]
        values: list[str | None] = []
        for place, token in enumerate(tokens):
            try:
                values.append(None if token is None else unmask(token))
            except TokenError as error:
                row = rows[place][self._message_id] or "without message id"
                raise TokenError(
                    f"row {row}: the token in {column.source} {error}; nothing of this publication was published"
                ) from None
        return values
