"""The lake of a local run: both copies in its directory, published to and shown side by side."""

from __future__ import annotations

import functools
import os
from contextlib import closing

from deltalake import DeltaTable
from pyarrow import compute
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
from maskline.pipeline.tables import new_table, print_table
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
    print_table(_side_by_side(directory), console)


def _side_by_side(directory: LocalDirectory) -> Table:
    opaque, clear = (DeltaTable(str(directory.lake / copy.value)).to_pyarrow_dataset() for copy in Copy)
    first = (
        opaque.to_table(["message_id", "processed_at", "user_id", "masked_ip", "masked_device_id"])
        .sort_by([("processed_at", "ascending"), ("message_id", "ascending")])
        .slice(0, ROWS_SHOWN)
    )
    theirs = clear.to_table(
        ["message_id", "ip", "device_id"], filter=compute.field("message_id").isin(first["message_id"].to_pylist())
    )
    in_clear = {row["message_id"]: row for row in theirs.to_pylist()}
    shown = new_table("The two copies in the lake, the same rows side by side")
    headings = ("\nuser_id", "opaque\nip", "clear\nip", "opaque\ndevice_id", "clear\ndevice_id")
    for heading in headings:
        shown.add_column(heading, style="cyan" if heading.startswith("opaque") else None, no_wrap=True)
    for row in first.to_pylist():
        clear_row = in_clear[row["message_id"]]
        user_id, *tokens = (
            ending_of(row[name], CHARACTERS_SHOWN) for name in ("user_id", "masked_ip", "masked_device_id")
        )
        address, device_id = (clear_row[name] or "NULL" for name in ("ip", "device_id"))
        shown.add_row(user_id, tokens[0], address, tokens[1], device_id)
    return shown
