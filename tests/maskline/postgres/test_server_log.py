"""What a statement that fails leaves in the server's own log: a few lines, and no value."""

from __future__ import annotations

import functools
import threading
from pathlib import Path

from maskline.postgres.connection import Connection, connect
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.streams.definition import StreamDefinition
from tests.awaiting import await_until
from tests.maskline.postgres.records import row, run, value_of

ROWS = 1_000
ENTRY_BYTES = 5_000
"""The most that a failed statement may leave."""


def test_a_row_that_is_rejected_leaves_some_kilobytes_in_the_log_and_not_its_micro_batch(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    log = Path(value_of(database, "SHOW data_directory")) / "log"
    run(database, "ALTER TABLE user_logins ADD CONSTRAINT no_windows CHECK (device_type <> 'Windows')")
    run(database, "DO $$ BEGIN RAISE LOG 'the micro-batch begins'; END $$")
    rows = [row(number) for number in range(ROWS)]
    bad = row(500, user_id="someone-7f3a", device_type="Windows")
    rows[500] = bad
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(user_logins), 0, threading.Event())

    outcome = writer.write(rows)
    writer.close()

    assert [rejection.record for rejection in outcome.rejected] == [bad]
    assert len(outcome.committed) == ROWS - 1
    run(database, "DO $$ BEGIN RAISE LOG 'the micro-batch is over'; END $$")
    await_until(lambda: "the micro-batch is over" in log.read_text(errors="replace"), "the server has written its log")
    written = (
        log.read_text(errors="replace").rpartition("the micro-batch begins")[2].partition("the micro-batch is over")[0]
    )
    failures = written.count("no_windows")
    assert 10 <= failures <= 12  # of the whole, its half, its quarter and so on
    assert len(written) < failures * ENTRY_BYTES
    statements = [line for line in written.splitlines() if "STATEMENT" in line]
    assert len(statements) == failures
    for value in ("someone-7f3a", "Windows", "-token", bad.receipt.message_id):
        assert not any(value in statement for statement in statements)
    assert rows[1].receipt.message_id not in written
