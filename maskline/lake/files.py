"""The Parquet files of a copy: written a day after the other, one open at a time, so memory does not grow with them.

A file that no commit names is none of the table's, whatever is in it. So a process may die at any moment here.
"""

from __future__ import annotations

import contextlib
import json
import uuid
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
from deltalake.transaction import AddAction

from maskline.errors import ArgumentError
from maskline.lake.columns import PARTITION

NO_DAY = "__HIVE_DEFAULT_PARTITION__"
"""How Delta calls the directory of rows without a day."""

ROW_GROUP_ROWS = 100_000


class FileSize(msgspec.Struct, frozen=True):
    """How large a file may become.

    Attributes:
        rows_per_file: How many rows a file has at most.
        mebibytes_per_file: How large a file has to be, in 2**20 bytes, for the next rows to begin a new one.

    Raises:
        ArgumentError: One of them is not positive.
    """

    rows_per_file: int = 5_000_000
    mebibytes_per_file: float = 128

    def __post_init__(self) -> None:
        """Check the sizes."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if not value > 0:
                raise ArgumentError(f"{name} is {value}; it must be more than 0")


class FileWriter:
    """Writes rows into new files of a table.

    Args:
        filesystem: Where the table is.
        schema: The schema of the rows, the day included.
        size: How large a file may become.
        now: Returns the time in milliseconds since 1970.
    """

    def __init__(self, filesystem: pa.fs.FileSystem, schema: pa.Schema, size: FileSize, now: Callable[[], int]) -> None:
        self._filesystem = filesystem
        self._schema = pa.schema([field.remove_metadata() for field in schema if field.name != PARTITION])
        self._size = size
        self._now = now
        self._open: _OpenFile | None = None
        self._written: list[AddAction] = []

    def write(self, day: date | None, rows: pa.RecordBatch) -> None:
        """Write rows of one day; those of a day should come one after the other.

        Args:
            day: The day.
            rows: The rows, with the day or without.
        """
        rows = rows.select(self._schema.names)
        while rows.num_rows:
            if self._open is not None and (self._open.day != day or self._open.is_full(self._size)):
                self._close()
            if self._open is None:
                self._open = _OpenFile(self._filesystem, self._schema, day)
            fitting = self._size.rows_per_file - self._open.rows
            self._open.write(rows.slice(0, fitting))
            rows = rows.slice(fitting)

    def finish(self) -> list[AddAction]:
        """Close the last file, and return what a commit says of all."""
        self._close()
        return self._written

    def abandon(self) -> None:
        """Remove what was written, as far as that can be done."""
        with contextlib.suppress(Exception):
            self._close()
        for file in self._written:
            with contextlib.suppress(Exception):
                self._filesystem.delete_file(file.path)

    def _close(self) -> None:
        if self._open is not None:
            file, self._open = self._open, None
            size = file.close()
            stats = json.dumps({"numRecords": file.rows})
            partition = {PARTITION: file.day.isoformat() if file.day else None}
            self._written.append(AddAction(file.path, size, partition, self._now(), True, stats))


class _OpenFile:
    """A file that is being written, in row groups of a sensible size."""

    def __init__(self, filesystem: pa.fs.FileSystem, schema: pa.Schema, day: date | None) -> None:
        directory = f"{PARTITION}={day.isoformat() if day else NO_DAY}"
        self.path = f"{directory}/part-{uuid.uuid4()}.zstd.parquet"
        self.day = day
        self.rows = 0
        self._schema = schema
        self._stream: Any = filesystem.open_output_stream(self.path)
        self._writer = pa.parquet.ParquetWriter(self._stream, schema, compression="zstd")
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_rows = 0

    def is_full(self, size: FileSize) -> bool:
        return self.rows >= size.rows_per_file or self._stream.tell() >= size.mebibytes_per_file * 2**20

    def write(self, rows: pa.RecordBatch) -> None:
        self.rows += rows.num_rows
        self._waiting.append(rows)
        self._waiting_rows += rows.num_rows
        if self._waiting_rows >= ROW_GROUP_ROWS:
            self._write_row_group()

    def close(self) -> int:
        self._write_row_group()
        self._writer.close()
        size = int(self._stream.tell())
        self._stream.close()
        return size

    def _write_row_group(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema))
            self._waiting, self._waiting_rows = [], 0


def by_day(rows: pa.RecordBatch) -> Iterator[tuple[date | None, pa.RecordBatch]]:
    """Split rows that are ordered by their day, or nearly so, into runs of one day each."""
    days = rows.column(PARTITION).to_pylist()
    first = 0
    for place in range(1, len(days) + 1):
        if place == len(days) or days[place] != days[first]:
            yield days[first], rows.slice(first, place - first)
            first = place
