"""What both sinks share: messages stay invisible while they are written, and come back at once on a stop."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import apache_beam as beam
import msgspec
import pytest

import maskline.postgres.statements
from maskline.errors import DatabaseUnavailableError
from maskline.postgres.connection import Connection
from maskline.records import MaskedRow
from maskline.sqs import QueueAddress, QueueDepth, SqsQueue
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition
from maskline.transforms import WriteToPostgres
from maskline.transforms.run_context import RunContext
from tests.awaiting import await_until
from tests.maskline.postgres.records import row, value_of, waiting_for_a_lock
from tests.maskline.sqs.faults import receipts_of
from tests.transforms.running import a_pipeline


@pytest.mark.slow
def test_messages_stay_invisible_while_their_rows_wait_to_be_written(
    dsn: str,
    database: Connection,
    locked: Connection,
    queue: SqsQueue,
    queue_address: QueueAddress,
    user_logins: StreamDefinition,
) -> None:
    rows = received_rows(queue, count=12, visibility_seconds=15)
    write = WriteToPostgres(user_logins, dsn, lease=lease_of(queue_address, 15))
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(run_write, rows, write)
        await_until(lambda: waiting_for_a_lock(database), "the writer waits for the lock")

        came_back = queue.receive(10, 17, 60)
        locked.rollback()

        writing.result(timeout=30)
    assert came_back == []
    assert value_of(database, "SELECT count(*) FROM user_logins") == 12


def test_stopped_before_they_could_be_written_messages_are_visible_at_once(
    dsn: str,
    database: Connection,
    locked: Connection,
    queue: SqsQueue,
    queue_address: QueueAddress,
    user_logins: StreamDefinition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maskline.postgres.statements, "LOCK_TIMEOUT_SECONDS", 0.2)
    rows = received_rows(queue, count=12, visibility_seconds=600)
    context = RunContext()
    write = WriteToPostgres(user_logins, dsn, lease=lease_of(queue_address, 600), context=context)
    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(run_write, rows, write)
        await_until(lambda: waiting_for_a_lock(database), "the writer waits for the lock")

        context.stopping.set()

        assert writing.exception(timeout=30) is not None
    assert isinstance(context.failure, DatabaseUnavailableError)
    assert queue.depth() == QueueDepth(visible=12, in_flight=0, delayed=0)


def test_failed_without_a_stop_messages_come_back_when_their_time_out_is_over(
    dsn: str,
    locked: Connection,
    queue: SqsQueue,
    queue_address: QueueAddress,
    user_logins: StreamDefinition,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maskline.postgres.statements, "LOCK_TIMEOUT_SECONDS", 0.2)
    rows = received_rows(queue, count=1, visibility_seconds=600)
    context, lease = RunContext(), lease_of(queue_address, 600)
    write = WriteToPostgres(user_logins, dsn, db_retry_seconds=0, lease=lease, context=context)

    with pytest.raises(Exception, match="55P03 lock_not_available"):
        run_write(rows, write)

    assert isinstance(context.failure, DatabaseUnavailableError)
    assert queue.depth() == QueueDepth(visible=0, in_flight=1, delayed=0)


def test_when_the_job_is_over_no_connection_and_no_lease_is_left(
    dsn: str, database: Connection, queue_address: QueueAddress, user_logins: StreamDefinition
) -> None:
    run_write([row(1)], WriteToPostgres(user_logins, dsn, lease=lease_of(queue_address, 60)))

    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'maskline' AND datname = current_database()"
    await_until(lambda: value_of(database, query) == 0, "the connection is closed", seconds=10)
    assert "visibility-lease" not in [thread.name for thread in threading.enumerate()]


def received_rows(queue: SqsQueue, count: int, visibility_seconds: int) -> list[MaskedRow]:
    """Send messages, receive them, and return their rows."""
    queue.send(["x"] * count)
    messages = [message for _ in range(0, count, 10) for message in queue.receive(10, 0, visibility_seconds)]
    assert len(messages) == count
    return [msgspec.structs.replace(row(), receipt=receipt) for receipt in receipts_of(messages)]


def lease_of(address: QueueAddress, visibility_seconds: int) -> VisibilityLease:
    """Return a lease on the real queue."""
    return VisibilityLease(address, visibility_seconds)


def run_write(rows: list[MaskedRow], write: WriteToPostgres) -> None:
    """Write a micro-batch on FnApiRunner."""
    with a_pipeline() as pipeline:
        pipeline | beam.Create([rows]) | write
