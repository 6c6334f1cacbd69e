"""Measure the insert that the job makes beside the one of version 0.1, with a unique index in place of the ledger.

It is measured without its guard against disabled keys, too, which tells what that costs. Each writes masked rows over a
connection of its own, a transaction a micro-batch, and they take turns at every micro-batch, so that whatever slows the
machine slows all alike. Rows per second are by the clock; CPU is per row, of this process and of the server's process
behind the connection; log is what the server wrote ahead, after a checkpoint.
Rows that are there before were sent over the 32 days before, so that the ledger holds half of them.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from psycopg import sql

from benchmarks.masked_rows import masked_rows
from benchmarks.measuring import add_count, add_name, finish, positive, progress_bars
from benchmarks.results import Cell, measured
from benchmarks.workbench import TABLE, Workbench
from maskline.postgres.arrays import array_literal, moment_array
from maskline.postgres.connection import Connection
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
Connect = Callable[[], Connection]


class _Insert:
    """One way to insert, with a connection of its own, and what its micro-batches have used.

    Args:
        bench: The workbench.
        make_write: Returns what writes a micro-batch over a connection that it opens.
    """

    def __init__(self, bench: Workbench, make_write: Callable[[Connect], Write]) -> None:
        self._bench = bench
        self._server_pid = 0
        self._write = make_write(self._connect)
        self._write(list(masked_rows(STREAM, BATCH)))  # connects, and has the server's process know the tables

    def _connect(self) -> Connection:
        connection = self._bench.connect()
        self._server_pid = connection.info.backend_pid
        return connection

    def measure(self, rows: Sequence[MaskedRow]) -> tuple[float, float, float, float]:
        """Write a micro-batch; return seconds, this process' and the server's seconds of CPU, and bytes of log."""
        log_before = self._log_bytes()
        server_before = _cpu_seconds(self._server_pid)
        started, used_before = time.perf_counter(), time.process_time()
        self._write(rows)
        used, seconds = time.process_time() - used_before, time.perf_counter() - started
        return seconds, used, _cpu_seconds(self._server_pid) - server_before, self._log_bytes() - log_before

    def _log_bytes(self) -> float:
        return float(self._bench.value("SELECT pg_current_wal_insert_lsn() - '0/0'"))


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
        task = progress.add_task("inserting", total=len(arguments.values) * arguments.repeat)
        bench.run(
            f"CREATE TABLE {INDEXED_TABLE} (LIKE {TABLE} INCLUDING DEFAULTS)",
            f"CREATE UNIQUE INDEX ON {INDEXED_TABLE} (message_id)",
            f"CREATE INDEX ON {INDEXED_TABLE} (written_in)",
        )
        inserts = {
            "ledger": _Insert(bench, _ledger),
            "ledger, keys not guarded": _Insert(bench, _without_keys),
            "unique index": _Insert(bench, _unique_index),
        }
        for before in arguments.values:
            _fill(bench, before)
            rounds: dict[str, list[list[float]]] = {name: [] for name in inserts}
            for _ in range(arguments.repeat):
                bench.run("CHECKPOINT")
                for name, figures in _in_turns(inserts, arguments.rows):
                    rounds[name].append(figures)
                progress.advance(task)
            for name, measurements in rounds.items():
                rate, client, server, log = (statistics.median(values) for values in zip(*measurements, strict=True))
                servers = [measurement[2] for measurement in measurements]
                spread = f"{min(servers):.1f} to {max(servers):.1f}"
                table.append([name, before, rate, client, server, spread, log])
    return finish(measured(arguments.name, "The insert with a ledger and with a unique index", COLUMNS, table, {}))


def _in_turns(inserts: dict[str, _Insert], count: int) -> Iterator[tuple[str, list[float]]]:
    """Yield, for each insert, rows a second, µs of CPU a row of client and of server, and bytes of log a row."""
    batches = {name: list(masked_rows(STREAM, count)) for name in inserts}
    measured_batches: dict[str, list[tuple[float, ...]]] = {name: [] for name in inserts}
    for start in range(0, count, BATCH):
        for name, insert in inserts.items():
            measured_batches[name].append(insert.measure(batches[name][start : start + BATCH]))
    for name, measurements in measured_batches.items():
        seconds, client, server, log = map(sum, zip(*measurements, strict=True))
        yield name, [count / seconds, client / count * 1e6, server / count * 1e6, log / count]


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


def _cpu_seconds(pid: int) -> float:
    """Return the time that a process has been on a CPU.

    Source: https://docs.kernel.org/scheduler/sched-stats.html
    """
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _ledger(connect: Connect) -> Write:
    return BatchWriter(connect, InsertRows(STREAM), 0, threading.Event()).write


def _without_keys(connect: Connect) -> Write:
    insert = InsertRows(STREAM)
    insert.query = insert.query_without_keys
    return BatchWriter(connect, insert, 0, threading.Event()).write


def _unique_index(connect: Connect) -> Write:
    """Return the insert of version 0.1, as that version sent it."""
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
    connection = connect()
    connection.autocommit = True

    def write(rows: Sequence[MaskedRow]) -> set[str]:
        with connection.cursor() as cursor:
            cursor.execute(query, _parameters(rows))
            return {message_id for (message_id,) in cursor}

    return write


def _parameters(rows: Sequence[MaskedRow]) -> list[str]:
    return [
        *map(array_literal, zip(*(row.values for row in rows), strict=True)),
        moment_array([row.sent_at.date() for row in rows]),
        array_literal([row.receipt.message_id for row in rows]),
        moment_array([row.sent_at for row in rows]),
        array_literal([str(row.key_id) for row in rows]),
    ]
