"""Measure the insert that the job makes beside the other that keeps its promises: COPY into a staging table.

Both write the same masked rows over one connection, a transaction a micro-batch, and leave messages alone that were
written before. Rows per second are by the clock; CPU is per row, of this process and of the database server.
"""

from __future__ import annotations

import argparse
import io
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from psycopg2 import sql

from benchmarks.consumers import family_of, sample_of
from benchmarks.masked_rows import masked_rows
from benchmarks.measuring import add_count, add_name, finish, positive, progress_bars
from benchmarks.results import Cell, Curve, measured
from benchmarks.workbench import TABLE, Workbench
from maskline.postgres.connection import Connection
from maskline.postgres.statements import OUTCOME_LOCK, InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow
from maskline.streams.definition import load_stream

STREAM = load_stream(TABLE)
SIZES = (100, 500, 2_000, 10_000)
COLUMNS = ("insert", "rows a batch", "rows/s", "client CPU [µs]", "Postgres CPU [µs]")

Write = Callable[[Sequence[MaskedRow]], object]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--values", nargs="+", type=positive, default=SIZES, metavar="N", help="rows a batch to try")
    add_count(parser, "rows", 50_000, "how many rows each time")
    add_name(parser, "inserts")


def main(arguments: argparse.Namespace) -> int:
    """Try each insert with each size of batch."""
    masked = list(masked_rows(STREAM, arguments.rows))
    table: list[list[Cell]] = []
    curves: dict[str, Curve] = {}
    with Workbench("stub") as bench, progress_bars() as progress:
        task = progress.add_task("inserting", total=2 * len(arguments.values))
        for name, opened in (("unnest", _unnest), ("COPY", _copy)):
            for size in arguments.values:
                cells = _measure(bench, opened(bench), masked, size)
                table.append([name, size, *cells])
                curves.setdefault(name, []).append((float(size), cells[0]))
                progress.advance(task)
    return finish(measured(arguments.name, "Rows per second of two inserts", COLUMNS, table, curves))


def _measure(bench: Workbench, write: Write, rows: Sequence[MaskedRow], size: int) -> list[float]:
    bench.empty_table()
    postgres = bench.postgres_pid
    server_before = sample_of(family_of(postgres), 0).cpu_seconds
    started, used_before = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), size):
        write(rows[start : start + size])
    used, seconds = time.process_time() - used_before, time.perf_counter() - started
    server = sample_of(family_of(postgres), 0).cpu_seconds - server_before
    written = bench.value(f"SELECT count(*) FROM {TABLE}")  # noqa: S608 - our own table
    assert written == len(rows), f"{written} of {len(rows)} rows were written"
    return [len(rows) / seconds, used / len(rows) * 1e6, server / len(rows) * 1e6]


def _unnest(bench: Workbench) -> Write:
    return BatchWriter(bench.connect, InsertRows(STREAM), 0, threading.Event()).write


def _copy(bench: Workbench) -> Write:
    connection = bench.connect()
    with connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE staging (LIKE {TABLE} INCLUDING DEFAULTS) ON COMMIT DELETE ROWS")
    insert = CopyInsert(connection)
    return insert.write


class CopyInsert:
    """Writes a micro-batch by COPY into a staging table, and from there as the job's own insert does.

    Args:
        connection: Has the temporary table ``staging``.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._columns = [column.name for column in STREAM.columns]
        self._columns += ["create_date", "message_id", "sent_at", "key_id"]

    def write(self, rows: Sequence[MaskedRow]) -> set[str]:
        """Write rows in one transaction, and return the message ids that are new.

        Args:
            rows: The micro-batch.
        """
        names = sql.SQL(", ").join(map(sql.Identifier, self._columns))
        copy = sql.SQL("COPY staging ({}) FROM STDIN").format(names)
        insert = sql.SQL(
            "SELECT pg_advisory_xact_lock_shared({lock});"
            " INSERT INTO {table} ({names}) SELECT {names} FROM staging"
            " WHERE NOT EXISTS (SELECT 1 FROM rejected_messages AS other WHERE other.message_id = staging.message_id)"
            " ON CONFLICT (message_id) DO NOTHING RETURNING message_id"
        ).format(lock=sql.Literal(OUTCOME_LOCK), table=sql.Identifier(TABLE), names=names)
        lines = "".join("\t".join(map(_as_copy_text, self._values(row))) + "\n" for row in rows)
        with self._connection, self._connection.cursor() as cursor:
            cursor.copy_expert(copy, io.StringIO(lines))
            cursor.execute(insert)
            return {message_id for (message_id,) in cursor}

    @staticmethod
    def _values(row: MaskedRow) -> tuple[object, ...]:
        return (*row.values, row.sent_at.date(), row.receipt.message_id, row.sent_at, row.key_id)


def _as_copy_text(value: Any) -> str:
    if value is None:
        return "\\N"
    return str(value).replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
