"""The whole job of streams of a test's own, in its process, and what became of the messages."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import apache_beam as beam
import pytest

from maskline.keys import KeysetUri
from maskline.pipeline.cli import main
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.connection import Connection
from maskline.postgres.ddl import create_table
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.stream_files import load_streams
from maskline.transforms.run_context import RunContext

ORDERS = """
name = "orders"
table = "shop.orders"

[match]
kind = ["placed", "changed"]

[columns.id]
type = "bigint"

[columns.masked_email]
field = "customer.email"
type = "varchar(400)"
mask = "deterministic"
domain = "email"
"""
CLICKS = """
name = "clicks"
table = "clicks"

[match]
kind = "click"

[columns.page]
type = "text"
clear = true

[columns.masked_emails]
field = "seen_by[*].email"
type = "text[]"
mask = "deterministic"
domain = "email"
"""


def order(number: int, **changes: object) -> str:
    """Return the body of an order."""
    return json.dumps(
        {"kind": "placed", "id": number, "customer": {"email": f"ann{number}@example.com"}} | changes,
    )


def click(page: str, *emails: str) -> str:
    """Return the body of a click."""
    return json.dumps({"kind": "click", "page": page, "seen_by": [{"email": email} for email in emails]})


class QueueOfStreams:
    """A queue, a database, a keyset, and definitions to run a job with until the queue is empty.

    Args:
        address: The queue.
        dsn: The database, migrated.
        keyset_uri: The keyset.
        folder: Where definitions are written.
        database: A connection to the database, every statement a transaction.
    """

    def __init__(self, address: QueueAddress, dsn: str, keyset_uri: str, folder: Path, database: Connection) -> None:
        self.address = address
        self._dsn = dsn
        self._keyset_uri = keyset_uri
        self.folder = folder
        self._database = database

    def define(self, *definitions: str) -> list[str]:
        """Write definitions into files and make the tables that are missing; return the files in their order."""
        files = []
        for text in definitions:
            (name,) = [line.split('"')[1] for line in text.splitlines() if line.startswith("name = ")]
            files.append(str(self.folder / f"{name}.toml"))
            Path(files[-1]).write_text(text)
        self.sql("CREATE SCHEMA IF NOT EXISTS shop")
        for stream in load_streams(files).streams:
            if self.sql(f"SELECT to_regclass('{stream.table}') IS NULL") == [(True,)]:
                self.sql(create_table(stream))
        return files

    def run(self, streams: Sequence[str], **settings: Any) -> RunContext:
        """Run the job in this process until the queue is empty."""
        loaded = load_streams(streams)
        receive = ReceiveSettings(
            long_poll_seconds=settings.pop("long_poll_seconds", 0), micro_batch_seconds=0.05, micro_batch_size=500
        )
        job = JobSettings(
            loaded if len(loaded.streams) > 1 else loaded.streams[0],
            self.address,
            PostgresDsn.parse(self._dsn),
            KeysetUri.parse(self._keyset_uri),
            receive,
            until_empty=True,
            **settings,
        )
        context = RunContext(tracks_in_flight=True)
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            build(pipeline, job, context)
        return context

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        with self._database.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def command(self, *arguments: str) -> int:
        """Run a command of maskline's with the database and the keyset."""
        return main([*arguments, f"--postgres={self._dsn}", f"--keyset={self._keyset_uri}"])

    def unmasked(self, stream: str, column: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """Return the clear values of a column, sorted, as ``unmask`` prints them."""
        capsys.readouterr()
        assert self.command("unmask", f"--stream={stream}", f"--column={column}", "--reason=a test") == 0
        return sorted(value for _, _, value in list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:])
