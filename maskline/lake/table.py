"""One copy in the lake: a Delta table whose commits carry the horizon up to which it is complete.

*Guarantees*: data and horizon become visible in one commit. A commit of a `LakeVersion` is the very next version after
the one it was made from, or it is refused: whatever another process did meanwhile, publishing, erasing, compacting,
makes it fail and start anew from the newer version. The Delta log holds no value of a row: no statistics, and no
conditions on values.

Source: https://github.com/delta-io/delta/blob/master/PROTOCOL.md#transaction-identifiers
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.fs
import pyarrow.parquet
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import TableNotFoundError
from deltalake.fs import DeltaStorageHandler
from deltalake.schema import Schema as DeltaSchema
from deltalake.transaction import AddAction, RemoveAction

from maskline.errors import LakeError
from maskline.lake.columns import PARTITION, LakeColumn, arrow_schema, lake_columns
from maskline.lake.copies import Copy
from maskline.lake.failures import map_lake_errors
from maskline.lake.files import FileSize, FileWriter
from maskline.lake.storage import Storage
from maskline.streams.definition import StreamDefinition

PROPERTIES = {
    # Minima and maxima in the log would outlive the row, and be personal data in clear.
    "delta.dataSkippingNumIndexedCols": "0",
    # Subscribers read what is new since a version.
    "delta.enableChangeDataFeed": "true",
    "delta.logRetentionDuration": "interval 30 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}
BATCH_ROWS = 20_000
_COPY_PROPERTY = "maskline.copy"


class DataFile(msgspec.Struct, frozen=True):
    """A file of a version.

    Attributes:
        path: Its path in the table.
        day: The day of its rows, or None for rows without one.
        rows: How many rows.
        size: Its size in bytes.
    """

    path: str
    day: date | None
    rows: int
    size: int


class LakeTable:
    """A copy of a stream in the lake.

    Args:
        storage: Where it is, and with which credentials.
        stream: The stream.
        copy: Which copy.
        now: Returns the time in seconds since 1970.
    """

    def __init__(
        self, storage: Storage, stream: StreamDefinition, copy: Copy, now: Callable[[], float] = time.time
    ) -> None:
        self.storage = storage
        self.stream = stream
        self.copy = copy
        self.columns: tuple[LakeColumn, ...] = lake_columns(stream, copy)
        self._now = now

    @property
    def uri(self) -> str:
        """Where it is."""
        return self.storage.uri

    def newest(self) -> LakeVersion:
        """Return the newest version of a copy that is there.

        Raises:
            LakeError: There is none, it is not this copy of this stream, or these credentials may not read it.
            LakeUnavailableError: The store does not answer.
        """
        with map_lake_errors(self.uri):
            try:
                table = DeltaTable(self.uri, storage_options=self.storage.options())
            except TableNotFoundError:
                raise LakeError(f"lake {self.uri}: there is no Delta table; has anything been published?") from None
            return self._checked(table)

    def newest_or_new(self) -> LakeVersion:
        """Return the newest version; make the table where there is none, and add columns that the stream has since got.

        A new column needs no rewrite: rows that were published before have NULL in it.

        Raises:
            LakeError: A column is of another type than the stream says, or as `newest`.
            LakeUnavailableError: The store does not answer.
        """
        self.storage.prepare()
        with map_lake_errors(self.uri):
            options = self.storage.options()
            if not DeltaTable.is_deltatable(self.uri, options):
                self._create(options)
            table = DeltaTable(self.uri, storage_options=options)
            self._evolve(table)
            return self._checked(table)

    def _create(self, options: dict[str, str]) -> None:
        meaning = "tokens in place of personal data" if self.copy is Copy.TOKENIZED else "personal data in clear"
        DeltaTable.create(
            self.uri,
            schema=arrow_schema(self.columns),
            mode="ignore",
            partition_by=[PARTITION],
            name=self.stream.table,
            description=f"{self.stream.name}, the {self.copy.value} copy: {meaning}",
            configuration={**PROPERTIES, _COPY_PROPERTY: f"{self.stream.name} {self.copy.value}"},
            storage_options=options,
            raise_if_key_not_exists=False,
        )

    def _evolve(self, table: DeltaTable) -> None:
        there = {field.name for field in table.schema().fields}
        added = [column.field for column in self.columns if column.name not in there]
        if added:
            table.alter.add_columns(DeltaSchema.from_arrow(pa.schema(added)).fields)
            table.update_incremental()

    def _checked(self, table: DeltaTable) -> LakeVersion:
        found = table.metadata().configuration.get(_COPY_PROPERTY)
        wanted = f"{self.stream.name} {self.copy.value}"
        if found != wanted:
            raise LakeError(
                f"lake {self.uri}: is not the {self.copy.value} copy of {self.stream.name}: {found or 'other'}"
            )
        types = {field.name: field.type for field in DeltaSchema.from_arrow(arrow_schema(self.columns)).fields}
        for field in table.schema().fields:
            if field.name in types and field.type != types[field.name]:
                raise LakeError(
                    f"lake {self.uri}: column {field.name} is {field.type}, the stream makes it {types[field.name]}; "
                    "give the column another name, or publish to another place"
                )
        return LakeVersion(table, self, self._now)


class LakeVersion:
    """A version of a copy, and the one commit that may follow it.

    Args:
        table: The Delta table at that version.
        owner: The copy.
        now: Returns the time in seconds since 1970.

    Attributes:
        copy: Which copy.
        columns: The columns of the copy.
        horizon: The horizon up to which it is complete, or None where nothing was published.
    """

    def __init__(self, table: DeltaTable, owner: LakeTable, now: Callable[[], float]) -> None:
        self.table = table
        self.copy = owner.copy
        self._owner = owner
        self._now = now
        self.columns = owner.columns
        self._application = f"maskline:{owner.stream.name}"
        self.horizon: int | None = table.transaction_version(self._application)

    @property
    def number(self) -> int:
        """The version."""
        return int(self.table.version())

    @property
    def table_id(self) -> str:
        """The id of the Delta table, which stays what it is wherever the table is moved."""
        return str(self.table.metadata().id)

    @property
    def column_names(self) -> list[str]:
        """The columns that the version has."""
        return [field.name for field in self.table.schema().fields]

    def files(self) -> list[DataFile]:
        """Return its files."""
        actions = pa.table(self.table.get_add_actions(flatten=True)).to_pylist()
        return [
            DataFile(action["path"], action.get(f"partition.{PARTITION}"), action["num_records"], action["size_bytes"])
            for action in actions
        ]

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Read its rows, one file after the other, a day after the other."""
        for file in sorted(self.files(), key=lambda file: (str(file.day), file.path)):
            yield from self.read(file)

    def read(self, file: DataFile, only: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Read the rows of a file, never all of them at once.

        Args:
            file: One of its files.
            only: The columns to read; all if None. One that the file was written without is NULL.
        """
        columns = [column for column in self._owner.columns if only is None or column.name in only]
        schema = arrow_schema(tuple(column for column in columns if column.name in self.column_names))
        with map_lake_errors(self._owner.uri), self._filesystem().open_input_file(file.path) as opened:
            parquet = pa.parquet.ParquetFile(opened)
            there = set(parquet.schema_arrow.names)
            for batch in parquet.iter_batches(BATCH_ROWS, columns=[name for name in schema.names if name in there]):
                yield pa.RecordBatch.from_arrays([_array(batch, field, file.day) for field in schema], schema=schema)

    def file_writer(self, size: FileSize) -> FileWriter:
        """Return what writes the files of the next commit.

        Args:
            size: How large a file may become.
        """
        return FileWriter(self._filesystem(), arrow_schema(self._owner.columns), size, self._milliseconds)

    def commit(
        self, added: Sequence[AddAction], removed: Sequence[DataFile], horizon: int | None, purpose: dict[str, Any]
    ) -> None:
        """Make the next version: add files, remove files and set the horizon, all at once.

        Args:
            added: The files to add, written by `file_writer`.
            removed: The files to remove.
            horizon: The horizon after it.
            purpose: What it is for, for the history of the table; values of rows have no place in it.

        Raises:
            LakeConflictError: There is a newer version already, and this one was not made.
            LakeError: These credentials may not write it.
            LakeUnavailableError: The store does not answer. The version may have been made or not.
        """
        now = self._milliseconds()
        removals = [
            RemoveAction(file.path, True, now, file.size, {PARTITION: file.day.isoformat() if file.day else None})
            for file in removed
        ]
        transactions = [Transaction(self._application, horizon, now)] if horizon is not None else []
        with map_lake_errors(self._owner.uri):
            self.table.create_write_transaction(
                [*added, *removals],
                mode="append",
                schema=self.table.schema(),
                partition_by=[PARTITION],
                commit_properties=CommitProperties(
                    max_commit_retries=0, app_transactions=transactions, custom_metadata={"maskline": purpose}
                ),
            )

    def _filesystem(self) -> pa.fs.FileSystem:
        handler = DeltaStorageHandler.from_table(self.table._table, self._owner.storage.options())
        return pa.fs.PyFileSystem(handler)

    def _milliseconds(self) -> int:
        return int(self._now() * 1000)


def _array(batch: pa.RecordBatch, field: pa.Field, day: date | None) -> pa.Array:
    if field.name == PARTITION:
        return pa.array([day] * batch.num_rows, field.type)
    if field.name not in batch.schema.names:
        return pa.nulls(batch.num_rows, field.type)
    return batch.column(field.name).cast(field.type)
