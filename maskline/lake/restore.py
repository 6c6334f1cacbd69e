"""Bringing the rows of the opaque copy back into an empty or older database, tokens as they are.

*Guarantees*: a row comes back once, however often a restore is tried, two run at a time, or its message is delivered
again by the queue meanwhile or afterwards: each message enters the ledger in the statement that writes its row, and
what the table has already is left out. A row of a person who was erased, and whose suppression is in force, does not
come back. A publication doubles none of the rows in a copy: each transaction of a restore is entered into
``lake_restores``. *What it does not do*: rows without a message id, which are older than the job, stay where they are,
for nobody could tell whether the table has them.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute

from maskline.errors import TokenError
from maskline.keys import Keyset
from maskline.lake.columns import KEY_ID, MESSAGE_ID
from maskline.lake.copies import Copy
from maskline.lake.moments import EPOCH, date_text, moment_text
from maskline.lake.source import IdsOfDay, RowSource
from maskline.lake.table import LakeTable, LakeVersion
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import Connect
from maskline.postgres.restored_rows import InsertRestoredRows, RestoredRow
from maskline.postgres.writer import BatchWriter
from maskline.records import Receipt
from maskline.streams.column_mask import column_unmask
from maskline.streams.owners import MessageOwners

ROWS_PER_TRANSACTION = 2000
MAX_LISTED = 20

logger = logging.getLogger(__name__)


class RestoreResult(msgspec.Struct):
    """What a restore did, or would do.

    Attributes:
        restored: How many rows it brought back.
        present: How many were in the table already.
        entered: How many were not in the table, and in the ledger: they were deleted from the table, or their message
            came meanwhile.
        suppressed: How many are of persons who were erased, and stay out.
        without_id: How many have no message id, time or key, are older than the job, and stay out.
        left: How many could not be brought back.
        named: Some of those, and why.
    """

    restored: int = 0
    present: int = 0
    entered: int = 0
    suppressed: int = 0
    without_id: int = 0
    left: int = 0
    named: list[str] = []


class Restorer:
    """Brings rows of an opaque copy back.

    Args:
        source: The stream's table.
        table: The opaque copy.
        connect: Opens a connection with the permissions of ``maskline_writer`` and ``maskline_publisher``.
        keyset: Tells whether a row is of a person who was erased.
        stopping: When set, it ends after the transaction under way.
        retry_seconds: How long a transaction is tried again while Postgres is not available.

    Raises:
        ValueError: It is the clear copy.
    """

    def __init__(
        self,
        source: RowSource,
        table: LakeTable,
        connect: Connect,
        keyset: Keyset,
        stopping: threading.Event | None = None,
        retry_seconds: float = 300,
    ) -> None:
        if table.copy is not Copy.TOKENIZED:
            raise ValueError("only the opaque copy has tokens to bring back")
        self._source = source
        self._table = table
        self._stream = table.stream
        self._connect = connect
        self._stopping = stopping or threading.Event()
        self._retry_seconds = retry_seconds
        self._owners = MessageOwners(self._stream, keyset)
        masker = Masker(keyset)
        self._unmask = {
            index: column_unmask(column, masker)
            for index, column in enumerate(self._stream.columns)
            if column in self._stream.subject_columns and column.is_masked
        }
        self._result = RestoreResult()

    def restore(self, *, dry_run: bool = False, advance: Callable[[int], None] = lambda _rows: None) -> RestoreResult:
        """Bring back the rows that the table lacks, unless it is stopped before the end.

        Args:
            dry_run: Only count.
            advance: Called with the number of rows of the copy just done.

        Raises:
            DatabaseError: The table, a column or a permission is missing.
            KeysetError: Rows are under a key that the database knows as disabled.
            LakeError: The copy is not there, or may not be read.
            UnavailableError: One of them does not answer. What was brought back stays; a repeat goes on from there.
        """
        self._result = RestoreResult()
        self._source.check()
        version = self._table.newest()
        statement = InsertRestoredRows(self._stream, version.table_id)
        writer = BatchWriter(self._connect, statement, self._retry_seconds, self._stopping)
        with (
            self._source.exclusive_lock("opaque restore", self._stopping) as is_held,
            contextlib.closing(writer),
            self._source.message_ids_by_day() as days,
        ):
            if not is_held:
                return self._result
            for batch, present in _with_ids(version, days):
                if self._stopping.is_set():
                    break
                lacking = self._lacking(batch, present)
                if dry_run:
                    self._result.restored += lacking.num_rows
                elif lacking.num_rows:
                    self._write(writer, lacking)
                advance(batch.num_rows)
        return self._result

    def _lacking(self, batch: pa.RecordBatch, present: set[str]) -> pa.RecordBatch:
        is_identified = functools.reduce(
            pa.compute.and_, (batch.column(name).is_valid() for name in (MESSAGE_ID, "sent_at", KEY_ID))
        )
        identified = batch.filter(is_identified)
        self._result.without_id += batch.num_rows - identified.num_rows
        is_lacking = [message_id not in present for message_id in identified.column(MESSAGE_ID).to_pylist()]
        lacking = identified.filter(pa.array(is_lacking, pa.bool_()))
        self._result.present += identified.num_rows - lacking.num_rows
        return lacking

    def _write(self, writer: BatchWriter[RestoredRow], batch: pa.RecordBatch) -> None:
        rows = list(self._rows(batch))
        outcome = writer.write(rows)
        self._result.restored += len(outcome.inserted)
        self._result.suppressed += outcome.suppressed
        self._result.entered += outcome.duplicates
        for rejection in outcome.rejected:
            self._leave(rejection.record.receipt.message_id, rejection.detail)
        logger.debug("restore: wrote")

    def _rows(self, batch: pa.RecordBatch) -> Iterator[RestoredRow]:
        names = [column.name for column in self._stream.columns]
        columns = [
            _texts(batch.column(name)) if name in batch.schema.names else [None] * batch.num_rows for name in names
        ]
        others = (batch.column(name).to_pylist() for name in (MESSAGE_ID, KEY_ID))
        sent, processed = (batch.column(name).cast(pa.int64()).to_pylist() for name in ("sent_at", "processed_at"))
        for values, message_id, key_id, sent_at, processed_at in zip(
            zip(*columns, strict=True), *others, sent, processed, strict=True
        ):
            try:
                subjects = self._owners.of_values(self._in_clear(values))
            except TokenError as error:
                self._leave(message_id, f"nobody can tell whether it is of a person who was erased: a token {error}")
                continue
            yield RestoredRow(
                Receipt(message_id, ""),
                EPOCH + timedelta(microseconds=sent_at),
                key_id,
                values,
                None if processed_at is None else moment_text(processed_at),
                self._stream.name,
                subjects,
            )

    def _in_clear(self, values: Sequence[object]) -> list[object]:
        clear = list(values)
        for index, unmask in self._unmask.items():
            if clear[index] is not None:
                clear[index] = unmask(clear[index])
        return clear

    def _leave(self, message_id: str, why: str) -> None:
        self._result.left += 1
        if len(self._result.named) < MAX_LISTED:
            self._result.named.append(f"row {message_id} stays out: {why}")


def _with_ids(version: LakeVersion, days: Iterator[IdsOfDay]) -> Iterator[tuple[pa.RecordBatch, set[str]]]:
    """Yield the rows of a copy, a day after the other, each batch with the ids that the table has of that day."""
    of_table = next(days, None)
    for file in sorted(version.files(), key=lambda file: (file.day is None, str(file.day), file.path)):
        while of_table is not None and of_table.comes_before(file.day):
            of_table = next(days, None)
        present = of_table.message_ids if of_table is not None and of_table.day == file.day else set()
        for batch in version.read(file):
            for first in range(0, batch.num_rows, ROWS_PER_TRANSACTION):
                yield batch.slice(first, ROWS_PER_TRANSACTION), present


def _texts(array: pa.Array) -> list[Any]:
    """Return values as Postgres reads them."""
    if pa.types.is_list(array.type):
        texts = iter(_texts(array.flatten()))
        lengths = pa.compute.list_value_length(array).to_pylist()
        return [None if length is None else [next(texts) for _ in range(length)] for length in lengths]
    if pa.types.is_timestamp(array.type):
        return [None if value is None else moment_text(value) for value in array.cast(pa.int64()).to_pylist()]
    if pa.types.is_date32(array.type):
        return [None if value is None else date_text(value) for value in array.cast(pa.int32()).to_pylist()]
    return list(array.to_pylist())
