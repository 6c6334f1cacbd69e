"""The lake of a local run: both copies in its directory, published to and looked into with DuckDB."""

from __future__ import annotations

import functools
import os
from contextlib import closing
from typing import Any

import duckdb
from deltalake import DeltaTable
from rich.console import Console
from rich.table import Table

from maskline.lake.copies import Copy
from maskline.lake.publisher import Publisher
from maskline.lake.source import RowSource
from maskline.lake.storage import Storage
from maskline.lake.table import LakeTable
from maskline.masks.deterministic import Masker
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.lake_options import OTHERS_MASK
from maskline.pipeline.local.directory import LocalDirectory
from maskline.pipeline.printing import ending_of
from maskline.postgres.connection import connect

ROWS_SHOWN = 5
CHARACTERS_SHOWN = 12


def publish_locally(console: Console, job: JobSettings, directory: LocalDirectory) -> None:
    """Publish what a local run has written to both copies, and show their first rows side by side.

    Args:
        console: Where to.
        job: The job that ran.
        directory: Where the copies are.

    Raises:
        MasklineError: It could not be published.
    """
    os.umask(OTHERS_MASK)
    (stream,) = job.streams
    for copy in Copy:
        table = LakeTable(Storage(str(directory.lake / copy.value)), stream, copy)
        masker = Masker(job.keyset.open()) if copy is Copy.CLEARTEXT else None
        with closing(RowSource(functools.partial(connect, job.postgres), stream)) as source:
            rows = sum(publication.rows for publication in Publisher(source, table, masker).publish())
        console.print(f"{copy.value} copy: {rows:,} rows published to {table.uri}", soft_wrap=True)
    console.print(_side_by_side(directory))


def _side_by_side(directory: LocalDirectory) -> Table:
    copies = {copy.value: DeltaTable(str(directory.lake / copy.value)).to_pyarrow_dataset() for copy in Copy}
    with closing(duckdb.connect()) as connection:
        for name, rows in copies.items():
            connection.register(name, rows)
        found: list[tuple[Any, ...]] = connection.execute(
            "SELECT opaque.user_id, opaque.masked_ip, clear.ip, opaque.masked_device_id, clear.device_id"
            " FROM opaque JOIN clear USING (message_id) ORDER BY opaque.processed_at, message_id LIMIT ?",
            [ROWS_SHOWN],
        ).fetchall()
    shown = Table(title="The two copies in the lake, the same rows side by side", title_justify="left")
    headings = ("\nuser_id", "opaque\nip", "clear\nip", "opaque\ndevice_id", "clear\ndevice_id")
    for heading in headings:
        shown.add_column(heading, style="cyan" if heading.startswith("opaque") else None, no_wrap=True)
    for user_id, masked_ip, address, masked_device_id, device_id in found:
        tokens = [ending_of(value, CHARACTERS_SHOWN) for value in (user_id, masked_ip, masked_device_id)]
        shown.add_row(tokens[0], tokens[1], address or "NULL", tokens[2], device_id or "NULL")
    return shown
