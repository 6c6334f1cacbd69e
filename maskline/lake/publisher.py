"""Publishing what was committed since the last publication to one copy, exactly once.

*Guarantees*: every committed row is in the copy once after a publication that began after its commit, whatever died
when, however many publishers there are, and whichever earlier state the database was brought back to. Data and progress
are one commit of the Delta table (see `maskline.lake.table`), and what a publication takes is complete (see
`maskline.lake.source`). *What it does not do*: it follows no later change of a row; `maskline.lake.remask` and
`maskline.lake.erasure` do.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import msgspec

from maskline.errors import UnavailableError
from maskline.lake.compared_rows import ComparedRows
from maskline.lake.copies import Copy
from maskline.lake.files import FileSize, by_day
from maskline.lake.row_batches import Oddities, RowBatches
from maskline.lake.source import Interval, RowSource
from maskline.lake.table import LakeTable, LakeVersion
from maskline.masks.deterministic import Masker
from maskline.retry import log_retry, retrying

ROWS_PER_COMMIT = 2_000_000
"""How many rows one commit takes, so that a publication that is killed need not start from the beginning."""

logger = logging.getLogger(__name__)


class Publication(msgspec.Struct, frozen=True):
    """A commit of a copy.

    Attributes:
        rows: How many rows it added.
        files: In how many files.
        horizon: Up to which transaction the copy is complete now.
        oddities: What is not as usual in them.
        is_compared: Whether the copy was compared with the table, for the database was restored, or is another one, or
            has rows that were restored from a copy.
        only_in_copy: How many rows the copy has that the table lacks, where all of it was compared; else None.
    """

    rows: int
    files: int
    horizon: int
    oddities: Oddities = msgspec.field(default_factory=Oddities)
    is_compared: bool = False
    only_in_copy: int | None = None


class Publisher:
    """Publishes to one copy.

    Args:
        source: The stream's table.
        table: The copy.
        masker: Unmasks for the clear copy; the opaque copy needs none.
        size: How large a file may become.
        rows_per_commit: How many rows one commit takes, but for a single transaction that wrote more.
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
        rows_per_commit: int = ROWS_PER_COMMIT,
        stopping: threading.Event | None = None,
        retry_seconds: float = 300,
    ) -> None:
        if (masker is None) is (table.copy is Copy.CLEARTEXT):
            raise ValueError("the clear copy needs a masker, and only that one does")
        self._source = source
        self._table = table
        self._masker = masker
        self._size = size or FileSize()
        self._rows_per_commit = rows_per_commit
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
            DatabaseError: The table, a column or a permission is missing.
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
        with self._source.exclusive_lock(self._table.copy.value, self._stopping) as is_held:
            if not is_held:
                return None
            # The version comes before the snapshot of the rows: what is erased in between makes the commit fail.
            version = self._table.newest_or_new()
            logger.debug("publishing: opened")
            interval = self._source.next_interval(version.table_id, version.horizon, self._rows_per_commit)
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
        batches = RowBatches(self._table.columns, self._masker)
        compared = ComparedRows(version) if interval.is_compared else None
        rows = 0
        try:
            with self._source.reading(self._table.columns, interval) as read:
                for batch in map(batches.batch, read):
                    for day, of_day in by_day(batch):
                        written = of_day if compared is None else compared.lacking(day, of_day)
                        writer.write(day, written)
                        rows += written.num_rows
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
        only_in_copy = None
        if compared is not None and interval.first == 0:
            only_in_copy = sum(file.rows for file in version.files()) - compared.found
        return Publication(rows, len(files), interval.horizon, batches.oddities, compared is not None, only_in_copy)
