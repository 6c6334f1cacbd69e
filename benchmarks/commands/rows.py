"""Measure the bytes of a row: in its table, in the ledger of outcomes, and in the write-ahead log.

The log depends on what came before. After a checkpoint Postgres logs the whole page at the first change of each, and a
message id is random, so each of the next rows is likely to change another page of the ledger's index of its day. So the
log is measured twice at each length of a day: long after a checkpoint, and for the rows right after one. All rows are
of one day, as they are in a job that keeps up.
"""

from __future__ import annotations

import argparse
import itertools
import threading
from collections.abc import Iterator

from rich.progress import Progress

from benchmarks.masked_rows import masked_rows
from benchmarks.measuring import add_count, add_name, finish, positive, progress_bars
from benchmarks.results import Cell, measured
from benchmarks.workbench import TABLE, Workbench
from maskline.postgres.ledger import OUTCOMES
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow
from maskline.streams.definition import load_stream

STREAM = load_stream(TABLE)
LENGTHS = (100_000, 1_000_000)
SIZES = (
    f"pg_table_size('{TABLE}')",
    f"pg_indexes_size('{TABLE}')",
    f"(SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('{OUTCOMES}'))",
    f"(SELECT sum(pg_indexes_size(relid)) FROM pg_partition_tree('{OUTCOMES}'))",
)
COLUMNS = (
    "rows",
    "table [bytes/row]",
    "its index [bytes/row]",
    "ledger [bytes/row]",
    "its index of message_id [bytes/row]",
    "log [bytes/row]",
    "rows after checkpoint",
    "log after checkpoint [bytes/row]",
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("--values", nargs="+", type=positive, default=LENGTHS, metavar="N", help="rows of the day")
    add_count(parser, "after_checkpoint", 10_000, "how many rows are written after a checkpoint")
    add_count(parser, "batch_size", 500, "the rows of a micro-batch")
    add_name(parser, "rows")


def main(arguments: argparse.Namespace) -> int:
    """Insert, and measure at each length."""
    lengths = sorted(arguments.values)
    total = lengths[-1] + len(lengths) * arguments.after_checkpoint
    rows = masked_rows(STREAM, total)
    table: list[list[Cell]] = []
    with Workbench("stub") as bench, progress_bars() as progress:
        # No checkpoint but ours; only a restart would change it for more than one session, a reload does for these.
        bench.run(
            "ALTER SYSTEM SET max_wal_size = '100GB'",
            "ALTER SYSTEM SET checkpoint_timeout = '1d'",
            "SELECT pg_reload_conf()",
        )
        writing = _Writing(bench, rows, arguments.batch_size, progress, total)
        for length in lengths:
            log = writing.log_per_row(length - writing.written)
            sizes = [float(bench.value(f"SELECT {size}")) / length for size in SIZES]
            bench.run("CHECKPOINT")
            after = writing.log_per_row(arguments.after_checkpoint)
            table.append([length, *sizes, log, arguments.after_checkpoint, after])
    title = f"Bytes of a row of {TABLE}"
    return finish(measured(arguments.name, title, COLUMNS, table))


class _Writing:
    def __init__(
        self, bench: Workbench, rows: Iterator[MaskedRow], batch_size: int, progress: Progress, total: int
    ) -> None:
        self._bench = bench
        self._rows = rows
        self._batch_size = batch_size
        self._progress = progress
        self._task = progress.add_task("inserting", total=total)
        self._writer = BatchWriter(bench.connect, InsertRows(STREAM), 0, threading.Event())
        self.written = 0

    def log_per_row(self, count: int) -> float:
        """Insert so many rows, and return the bytes of log of each."""
        before = self._bench.value("SELECT pg_current_wal_insert_lsn()::text")
        wanted = self.written + count
        while self.written < wanted:
            batch = list(itertools.islice(self._rows, min(self._batch_size, wanted - self.written)))
            self._writer.write(batch)
            self.written += len(batch)
            self._progress.advance(self._task, len(batch))
        log = self._bench.value(f"SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '{before}')::bigint")
        return float(log) / count
