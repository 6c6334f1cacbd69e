"""Bring what older keys masked under the primary key, so that equal values have equal tokens again after a rotation.

Goes through the stream's table and rejected_messages, a few pages a transaction, beside the running job. It can be
stopped or killed at any time; the next run goes on with what is left. Rows that cannot be re-encrypted are named and
stay as they are, and the exit code is 1. It is entered in pii_access_log, and takes the role maskline_remasker.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import signal
import threading
import time
from collections.abc import Iterator, Sequence

from rich.console import Console

from maskline.keys import Keyset, keyset_provider, open_keyset
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import Connect, check_dsn, connect
from maskline.postgres.key_usage import KeyUsage, key_usage
from maskline.postgres.remasking import RemaskedTable, Remasker, Unrenewed, rejections_table, stream_table
from maskline.stream import load_stream
from pipeline.options import Options, required
from pipeline.printing import say
from pipeline.progress import showing_rows

LEFT_EXIT_CODE = 1
STOPPED_EXIT_CODE = 130
MOST_PASSES = 3
"""A job that still masks under an older key goes on writing such rows; its own restart ends that, not more passes."""

MOST_NAMED = 20


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    options = Options(parser)
    options.add_postgres()
    options.add_keyset()
    options.add_stream()


def main(arguments: argparse.Namespace, _: Sequence[str]) -> int:
    """Re-encrypt both tables; 1 if rows of older keys are left."""
    stream = load_stream(arguments.stream)
    connecting = functools.partial(connect, check_dsn(required(arguments, "postgres")))
    keyset = open_keyset(keyset_provider(required(arguments, "keyset")).fetch())
    left = 0
    with _stopping_on_signals() as stopping:
        for table in (stream_table(stream, keyset), rejections_table(keyset)):
            left += _Remasking(table, stream.name, keyset, connecting, stopping).run()
        if stopping.is_set():
            say("Stopped. Run it again to go on.")
            return STOPPED_EXIT_CODE
    return LEFT_EXIT_CODE if left else 0


class _Remasking:
    """One table's re-encryption: on record before it begins, pass by pass, and told about."""

    def __init__(
        self, table: RemaskedTable, stream: str, keyset: Keyset, connecting: Connect, stopping: threading.Event
    ) -> None:
        self._table = table
        self._stream = stream
        self._keyset = keyset
        self._connecting = connecting
        self._stopping = stopping
        self._remasker = Remasker(connecting, table, keyset, stopping)

    def run(self) -> int:
        """Re-encrypt, and return how many rows are left under other keys."""
        waiting = self._waiting(self._usage())
        if waiting:
            self._record(waiting)
        started = time.monotonic()
        done, unrenewed = self._passes(waiting)
        rate = done / max(time.monotonic() - started, 0.001)
        say(
            f"{self._table.name}: {done:,} rows brought under key {self._keyset.primary_key_id}"
            + (f" ({rate:,.0f} rows/s)." if done else ".")
        )
        return self._report(unrenewed, self._usage())

    def _passes(self, waiting: int) -> tuple[int, list[Unrenewed]]:
        done = 0
        unrenewed: list[Unrenewed] = []
        for _ in range(MOST_PASSES):
            if waiting <= len(unrenewed) or self._stopping.is_set():
                break
            unrenewed = []
            with showing_rows(waiting, Console(stderr=True)) as advance:
                for step in self._remasker.run():
                    advance(step.remasked)
                    done += step.remasked
                    unrenewed.extend(step.unrenewed)
            waiting = self._waiting(self._usage())
        return done, unrenewed

    def _usage(self) -> list[KeyUsage]:
        with contextlib.closing(self._connecting()) as connection:
            return [usage for usage in key_usage(connection) if usage.table == self._table.name]

    def _waiting(self, usage: list[KeyUsage]) -> int:
        return sum(count.rows for count in usage if self._remasker.takes(count.key_id))

    def _record(self, waiting: int) -> None:
        with contextlib.closing(self._connecting()) as connection:
            for column in self._table.columns:
                record_access(
                    connection,
                    action="remask",
                    stream=self._stream,
                    column=column.name,
                    row_count=waiting,
                    reason=f"rotation to key {self._keyset.primary_key_id}",
                )

    def _report(self, unrenewed: list[Unrenewed], usage: list[KeyUsage]) -> int:
        for row in unrenewed[:MOST_NAMED]:
            say(f"  row {row.row} stays as it is: {row.why}")
        if len(unrenewed) > MOST_NAMED:
            say(f"  and {len(unrenewed) - MOST_NAMED:,} more")
        left = 0
        for count in usage:
            if count.key_id == self._keyset.primary_key_id:
                continue
            if count.key_id is None and not self._remasker.takes(None):
                say(f"  {count.rows:,} rows name no key and were left alone: they are older than the job")
                continue
            left += count.rows
            say(f"  {count.rows:,} rows are still under {_named(count.key_id)}: {self._why_left(count.key_id)}")
        return left

    def _why_left(self, key_id: int | None) -> str:
        if not self._remasker.takes(key_id):
            return "this keyset does not hold it, or has disabled it"
        if self._stopping.is_set():
            return "stopped before their turn"
        return "they could not be re-encrypted, or a job still masks under it; restart jobs, and run this again"


def _named(key_id: int | None) -> str:
    return "no named key" if key_id is None else f"key {key_id}"


@contextlib.contextmanager
def _stopping_on_signals() -> Iterator[threading.Event]:
    """Have Ctrl-C and SIGTERM end the transaction under way and no more."""
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
