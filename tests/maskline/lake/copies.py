"""Copies in a lake, the publishers that fill them, and what lies in them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
from deltalake import DeltaTable

from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.publisher import Publisher
from maskline.lake.source import RowSource
from maskline.lake.storage import Storage
from maskline.lake.table import LakeTable
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import connect
from maskline.streams.definition import StreamDefinition, load_stream


def lake_table(place: Path | str, copy: Copy = Copy.TOKENIZED, stream: StreamDefinition | None = None) -> LakeTable:
    """Return a copy, not made yet."""
    return LakeTable(Storage(str(place)), stream or load_stream("user_logins"), copy)


def publisher(dsn: str, table: LakeTable, keyset: Keyset | None = None, **settings: Any) -> Publisher:
    """Return what publishes from a database to a copy."""
    masker = Masker(keyset) if keyset is not None else None
    source = RowSource(functools.partial(connect, dsn), table.stream)
    return Publisher(source, table, masker, **{"retry_seconds": 60, **settings})


def publish(dsn: str, table: LakeTable, keyset: Keyset | None = None, **settings: Any) -> int:
    """Publish, and return how many rows."""
    return sum(publication.rows for publication in publisher(dsn, table, keyset, **settings).publish())


def rows_in(uri: Path | str, *columns: str) -> list[Any]:
    """Return what lies in a copy, by any reader of Delta tables: rows of some columns, ordered."""
    table: Any = pa.table(DeltaTable(str(uri)).to_pyarrow_table(columns=list(columns) or None))
    rows = [tuple(row.values()) for row in table.to_pylist()]
    return sorted((row[0] if len(columns) == 1 else row for row in rows), key=str)


def files_that_know(directory: Path, *marks: str) -> list[Path]:
    """Return the files below a directory that hold any of some texts, those of no version and the log's included.

    Parquet files are read whole, for a text in their compressed pages is not in their bytes.
    """
    files = [file for file in directory.rglob("*") if file.is_file()]
    return [file for file in files if any(mark in _content(file) for mark in marks)]


def _content(file: Path) -> str:
    content = file.read_bytes().decode("latin-1")
    if file.suffix == ".parquet":
        parquet = pyarrow.parquet.ParquetFile(file)
        content += f"{parquet.read().to_pylist()} {parquet.metadata.to_dict()} {parquet.schema_arrow.metadata}"
    return content
