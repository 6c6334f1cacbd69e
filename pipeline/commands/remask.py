"""Bring what older keys masked under the primary key, so that equal values have equal tokens again after a rotation.

Goes through the stream's table and rejected_messages, a few pages a transaction, beside the running job. It can be
stopped or killed at any time; the next run goes on with what is left. Rows that cannot be re-encrypted are named and
stay as they are, and the exit code is 1. It is entered in pii_access_log, and takes the role maskline_remasker.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import threading
import time
from collections.abc import Sequence

from maskline.keys import Keyset
from maskline.pipeline.options import Options, keyset_uri, postgres_dsn
from maskline.pipeline.printing import echo
from maskline.pipeline.progress import showing_rows
from maskline.pipeline.remask_record import record_remask
from maskline.pipeline.screen import open_screen
from maskline.pipeline.stopping import STOPPED_EXIT_CODE, BackgroundWork, stopping_on_signals
from maskline.postgres.connection import Connect, connect
from maskline.postgres.key_usage import key_usage
from maskline.postgres.remask import NotRemasked, Remasker
from maskline.postgres.remask_statements import RemaskedTable, rejections_table, stream_table
from maskline.streams.definition import load_stream

LEFT_EXIT_CODE = 1
MAX_PASSES = 3
"""A job that still masks under an older key goes on writing such rows; its own restart ends that, not more passes."""

MAX_LISTED = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Re-encrypt both tables; 1 if rows of older keys are left."""
    stream = load_stream(arguments.stream)
    connecting = functools.partial(connect, postgres_dsn(arguments))
    keyset = keyset_uri(arguments).open()
    tables = (stream_table(stream, keyset), rejections_table(keyset))

    stopping = threading.Event()

    def remask() -> int:
        left = 0
        for table in tables:
            if not stopping.is_set():
                left += _Remasking(table, stream.name, keyset, connecting, stopping).run()
        return left

    with stopping_on_signals(stopping, open_screen(stderr=True)):
        left = BackgroundWork(remask, "remask").result()
    if stopping.is_set():
        echo("Stopped. Run it again to go on.")
        return STOPPED_EXIT_CODE
    return LEFT_EXIT_CODE if left else 0


class _Remasking:
    """One table's re-encryption: on record before it begins, pass by pass, and told about."""

    def __init__(
        self, table: RemaskedTable, stream: str, keyset: Keyset, connect: Connect, stopping: threading.Event
    ) -> None:
        self._table = table
        self._stream = stream
        self._keyset = keyset
        self._connect = connect
        self._stopping = stopping
        self._remasker = Remasker(connect, table, keyset, stopping)
        self._not_remasked: list[NotRemasked] = []
        self._not_remasked_rows = 0

    def run(self) -> int:
        """Re-encrypt, and return how many rows are left under other keys."""
        waiting = self._waiting(self._rows_by_key())
        if waiting and not self._stopping.is_set():
            reason = f"rotation to key {self._keyset.primary_key_id}"
            record_remask(self._connect, "remask", self._stream, self._table.columns, waiting, reason)
        started = time.monotonic()
        done = self._passes(waiting)
        rate = f" ({done / max(time.monotonic() - started, 0.001):,.0f} rows/s)" if done else ""
        echo(f"{self._table.name}: {done:,} rows brought under key {self._keyset.primary_key_id}{rate}.")
        self._name_not_remasked()
        return self._report_left(self._rows_by_key())

    def _passes(self, waiting: int) -> int:
        done = 0
        for _ in range(MAX_PASSES):
            if waiting <= self._not_remasked_rows or self._stopping.is_set():
                break
            self._not_remasked, self._not_remasked_rows = [], 0
            with showing_rows(waiting, open_screen(stderr=True)) as advance:
                for step in self._remasker.run():
                    advance(step.remasked)
                    done += step.remasked
                    self._not_remasked_rows += len(step.not_remasked)
                    self._not_remasked.extend(step.not_remasked[: MAX_LISTED - len(self._not_remasked)])
            waiting = self._waiting(self._rows_by_key())
        return done

    def _rows_by_key(self) -> dict[int | None, int]:
        with contextlib.closing(self._connect()) as connection:
            (usage,) = key_usage(connection, only=self._table.name)
        return usage.rows

    def _waiting(self, rows_by_key: dict[int | None, int]) -> int:
        return sum(rows for key_id, rows in rows_by_key.items() if self._remasker.takes(key_id))

    def _name_not_remasked(self) -> None:
        for row in self._not_remasked:
            echo(f"  row {row.row} stays as it is: {row.why}")
        if self._not_remasked_rows > len(self._not_remasked):
            echo(f"  and {self._not_remasked_rows - len(self._not_remasked):,} more")

    def _report_left(self, rows_by_key: dict[int | None, int]) -> int:
        left = 0
        for key_id, rows in rows_by_key.items():
            if key_id == self._keyset.primary_key_id:
                continue
            if key_id is None and not self._remasker.takes(None):
                echo(f"  {rows:,} rows name no key and stay as they are: they are older than the job")
                continue
            left += rows
            under = "no named key" if key_id is None else f"key {key_id}"
            echo(f"  {rows:,} rows are still under {under}: {self._why_left(key_id)}")
        return left

    def _why_left(self, key_id: int | None) -> str:
        if key_id is not None and not self._remasker.takes(key_id):
            return f"this keyset {self._keyset.unavailable_reason(key_id)}"
        if self._stopping.is_set():
            return "stopped before their turn"
        return "they could not be re-encrypted, or a job still masks under it; restart jobs, and run this again"
