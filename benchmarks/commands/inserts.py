"""Measure the insert that the job makes beside the one of version 0.1, with a unique index in place of the ledger.

It is measured without its guard against disabled keys, too, which tells what that costs. All of them write the same
masked rows over one connection, a transaction a micro-batch, in turns. Rows per second are by the clock; CPU is per
row, of this process and of the database server; log is what it wrote ahead, after a checkpoint.
Rows that are there before were sent over the 32 days before, so that the ledger holds half of them.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Sequence

from psycopg2 import sql

from benchmarks.consumers import family_of, sample_of
from benchmarks.masked_rows import masked_rows
from benchmarks.measuring import add_count, add_name, finish, positive, progress_bars
from benchmarks.results import Cell, measured
from benchmarks.workbench import TABLE, Workbench
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow
from maskline.streams.definition import load_stream

STREAM = load_stream(TABLE)
INDEXED_TABLE = "user_logins_indexed"
BATCH = 1_000
COLUMNS = (
    "insert",
    "rows there before",
    "rows/s",
    "client CPU [µs]",
    "Postgres CPU [µs]",
    "Postgres CPU, least and most [µs]",
    "log [bytes a row]",
)

Write = Callable[[Sequence[MaskedRow]], object]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "--values",
        nargs="+",
        type=int,
        default=(0, 1_000_000),
        metavar="N",
        help="how many rows are there before",
    )
    parser.add_argument("--repeat", type=positive, default=5, metavar="N", help="how often each is measured")
    add_count(parser, "rows", 50_000, "how many rows each time")
    add_name(parser, "inserts")


def main(arguments: argparse.Namespace) -> int:
    """Try each insert with each number of rows that are there before."""
    table: list[list[Cell]] = []
    with Workbench("stub") as bench, progress_bars() as progress:
        task = progress.add_task("inserting", total=3 * len(arguments.values) * arguments.repeat)
        bench.run(
            f"CREATE TABLE {INDEXED_TABLE} (LIKE {TABLE} INCLUDING DEFAULTS)",
            f"CREATE UNIQUE INDEX ON {INDEXED_TABLE} (message_id)",
            f"CREATE INDEX ON {INDEXED_TABLE} (written_in)",
        )
        inserts: dict[str, Write] = {
            "ledger": _ledger(bench),
            "ledger, keys not guarded": _without_keys(bench),
            "unique index": _unique_index(bench),
        }
        for before in arguments.values:
            _fill(bench, before)
            runs: dict[str, list[list[float]]] = {name: [] for name in inserts}
            for _ in range(arguments.repeat):
                for name, write in inserts.items():
                    runs[name].append(_measure(bench, write, list(masked_rows(STREAM, arguments.rows))))
                    progress.advance(task)
            for name, measurements in runs.items():
                rate, client, server, log = (statistics.median(values) for values in zip(*measurements, strict=True))
                servers = [measurement[2] for measurement in measurements]
                spread = f"{min(servers):.1f} to {max(servers):.1f}"
                table.append([name, before, rate, client, server, spread, log])
    return finish(measured(arguments.name, "The insert with a ledger and with a unique index", COLUMNS, table, {}))


def _fill(bench: Workbench, rows: int) -> None:
    sent = "SELECT message_id, sent_at FROM user_logins WHERE sent_at > now() - interval '16 days'"
    insert = (
        "INSERT INTO user_logins (user_id, device_type, masked_ip, masked_device_id, locale, app_version, create_date,"
        " message_id, sent_at, key_id) SELECT gen_random_uuid(), 'android', repeat('i', 46), repeat('d', 43), 'RU',"
        " '2.3.0', current_date, gen_random_uuid(), now() - random() * interval '32 days', 1"
        f" FROM generate_series(1, {rows})"
    )
    bench.run(
        f"TRUNCATE {TABLE}, {INDEXED_TABLE}, maskline_outcomes, rejected_messages",
        insert,
        f"INSERT INTO {INDEXED_TABLE} SELECT * FROM {TABLE}",
        f"INSERT INTO maskline_outcomes {sent}",
        f"VACUUM ANALYZE {TABLE}, {INDEXED_TABLE}, maskline_outcomes",
    )


def _measure(bench: Workbench, write: Write, rows: Sequence[MaskedRow]) -> list[float]:
    postgres = bench.postgres_pid
    bench.run("CHECKPOINT")
    log_before = bench.value("SELECT pg_current_wal_insert_lsn() - '0/0'")
    server_before = sample_of(family_of(postgres), 0).cpu_seconds
    started, used_before = time.perf_counter(), time.process_time()
    for start in range(0, len(rows), BATCH):
        write(rows[start : start + BATCH])
    used, seconds = time.process_time() - used_before, time.perf_counter() - started
    server = sample_of(family_of(postgres), 0).cpu_seconds - server_before
    log = float(bench.value("SELECT pg_current_wal_insert_lsn() - '0/0'") - log_before)
    return [len(rows) / seconds, used / len(rows) * 1e6, server / len(rows) * 1e6, log / len(rows)]


def _ledger(bench: Workbench) -> Write:
    return BatchWriter(bench.connect, InsertRows(STREAM), 0, threading.Event()).write


def _without_keys(bench: Workbench) -> Write:
    insert = InsertRows(STREAM)
    insert.query = insert.query_without_keys
    return BatchWriter(bench.connect, insert, 0, threading.Event()).write


def _unique_index(bench: Workbench) -> Write:
    """Return the insert of version 0.1, as that version sent it."""
    insert = InsertRows(STREAM)
    columns = [column.name for column in STREAM.columns]
    arrays = [column.type.array for column in STREAM.columns]
    columns += ["create_date", "message_id", "sent_at", "key_id"]
    arrays += ["date[]", "uuid[]", "timestamptz[]", "bigint[]"]
    query = sql.SQL(
        "SET LOCAL lock_timeout = '10s'; SET LOCAL statement_timeout = '30s';"
        " SELECT pg_advisory_xact_lock_shared(4711);"
        " INSERT INTO {table} ({columns}) SELECT {columns} FROM unnest({arrays}) AS batch ({columns})"
        " WHERE NOT EXISTS (SELECT 1 FROM rejected_messages AS other WHERE other.message_id = batch.message_id)"
        " ON CONFLICT (message_id) DO NOTHING RETURNING message_id"
    ).format(
        table=sql.Identifier(INDEXED_TABLE),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        arrays=sql.SQL(", ").join(sql.SQL("%s::" + array) for array in arrays),
    )
    connection = bench.connect()
    connection.autocommit = True

    def write(rows: Sequence[MaskedRow]) -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute(query, insert.parameters(rows))
            return {message_id for (message_id,) in cursor}

    return write
