"""The sink of rejected messages on FnApiRunner."""

from __future__ import annotations

from datetime import UTC, datetime

import apache_beam as beam
import msgspec
import pytest
from apache_beam.testing.util import assert_that, equal_to

from maskline.errors import DatabaseError, DatabaseUnavailableError, UsageError
from maskline.postgres.connection import Connection
from maskline.records import Reason, Receipt, Rejection
from maskline.sqs import QueueAddress
from maskline.sqs.lease import VisibilityLease
from maskline.streams.definition import StreamDefinition
from maskline.transforms import WriteRejections, WriteToPostgres
from maskline.transforms.run_context import RunContext
from tests.maskline.postgres.records import message_id, rejection, row, rows_of, run, value_of
from tests.transforms.database_faults import fail_commits
from tests.transforms.running import Collect, a_pipeline, measured_pipeline


def receipt(number: int) -> Receipt:
    return Receipt(message_id(number), f"handle-{number}")


def test_a_rejection_is_kept_whole_with_its_body_sealed(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    with a_pipeline() as pipeline:
        receipts = pipeline | beam.Create([[rejection(1)]]) | WriteRejections(dsn)
        assert_that(receipts, equal_to([[receipt(1)]]))

    ((*told, body, rejected_at),) = rows_of(
        database,
        "SELECT message_id::text, stream, reason, detail, sent_at, receive_count, key_id, requeued_at, body,"
        " rejected_at FROM rejected_messages",
    )
    assert told == [
        "6f9619ff-8b86-4011-b42d-000000000001",
        "user_logins",
        "not_json",
        "is not JSON",
        datetime(2023, 11, 5, 12, 30, tzinfo=UTC),
        3,
        4_000_000_001,
        None,
    ]
    assert bytes(body) == b"\x00\x01'\\sealed"
    assert abs((datetime.now(UTC) - rejected_at).total_seconds()) < 60


def test_a_rejection_knows_its_queue_where_the_lease_does(
    dsn: str, database: Connection, queue_address: QueueAddress
) -> None:
    lease = VisibilityLease(queue_address, 30)
    with a_pipeline() as pipeline:
        pipeline | "With" >> beam.Create([[rejection(1)]]) | "Keep" >> WriteRejections(dsn, lease=lease)
        pipeline | "Without" >> beam.Create([[rejection(2)]]) | "Keep it, too" >> WriteRejections(dsn)

    assert rows_of(database, "SELECT message_id::text, queue FROM rejected_messages ORDER BY 1") == [
        (message_id(1), queue_address.queue),
        (message_id(2), None),
    ]


def test_a_schema_without_the_column_of_the_queue_takes_rejections(
    dsn: str, database: Connection, queue_address: QueueAddress
) -> None:
    run(database, "ALTER TABLE rejected_messages DROP COLUMN queue")

    with a_pipeline() as pipeline:
        lease = VisibilityLease(queue_address, 30)
        pipeline | beam.Create([[rejection(1)]]) | WriteRejections(dsn, lease=lease)

    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 1


def test_no_receipt_comes_out_where_the_commit_fails(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    fail_commits(database, "rejected_messages", times=1_000_000)

    receipts, error = failure_of([rejection(1)], user_logins, dsn, retry_seconds=0)

    assert isinstance(error, DatabaseUnavailableError)
    assert receipts == []
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 0


def test_a_missing_table_stops_the_job(dsn: str, database: Connection, user_logins: StreamDefinition) -> None:
    run(database, "DROP TABLE rejected_messages")

    receipts, error = failure_of([rejection(1)], user_logins, dsn)

    assert isinstance(error, DatabaseError)
    assert 'relation "rejected_messages" does not exist' in str(error)
    assert receipts == []


def test_a_rejection_that_the_table_does_not_take_stops_the_job_for_it_would_be_lost(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    run(database, "ALTER TABLE rejected_messages ADD CONSTRAINT no_third CHECK (receive_count <> 3)")

    receipts, error = failure_of([rejection(1)], user_logins, dsn)

    assert isinstance(error, DatabaseError)
    assert str(error) == (
        "postgres: rejected_messages takes no rejections: "
        "23514 check_violation, table rejected_messages, constraint no_third"
    )
    assert receipts == []


def test_a_message_that_became_a_row_before_is_left_alone_and_may_be_deleted(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    with a_pipeline() as pipeline:
        pipeline | beam.Create([[row(1)]]) | WriteToPostgres(user_logins, dsn)

    with measured_pipeline() as (pipeline, measured):
        receipts = pipeline | beam.Create([[rejection(1), rejection(2)]]) | WriteRejections(dsn)
        assert_that(receipts, equal_to([[receipt(1), receipt(2)]]))

    assert value_of(database, "SELECT array_agg(message_id::text) FROM rejected_messages") == [message_id(2)]
    assert measured.counters == {"rejected": 1, "rejected_not_json": 1, "duplicates": 1}


def test_what_happened_is_counted_by_reason(dsn: str, user_logins: StreamDefinition) -> None:
    with a_pipeline() as pipeline:
        pipeline | beam.Create([[rejection(1)]]) | WriteRejections(dsn)

    with measured_pipeline() as (pipeline, measured):
        batch = [rejection(1), rejection(2), rejection(3, reason=Reason.TOO_LONG), rejection(4)]
        pipeline | beam.Create([batch, [rejection(5)]]) | WriteRejections(dsn)

    assert measured.counters == {"rejected": 4, "rejected_not_json": 3, "rejected_too_long": 1, "duplicates": 1}
    assert measured.distributions["batch_size"] == (2, 5, 1, 4)


def test_a_message_delivered_twice_into_one_micro_batch_is_counted_once(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    first = rejection(1)
    second = msgspec.structs.replace(first, receipt=Receipt(first.receipt.message_id, "another handle"))

    with measured_pipeline() as (pipeline, measured):
        receipts = pipeline | beam.Create([[first, second]]) | WriteRejections(dsn)
        assert_that(receipts, equal_to([[first.receipt, second.receipt]]))

    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 1
    assert measured.counters == {"rejected": 1, "rejected_not_json": 1, "duplicates": 1}


def test_a_password_is_refused_at_construction_and_not_repeated(user_logins: StreamDefinition) -> None:
    with pytest.raises(UsageError, match="holds a password") as refused:
        WriteRejections("postgresql://writer:hunter2@db/logins")

    assert "hunter2" not in str(refused.value)


def test_a_time_to_retry_out_of_its_range_is_refused_at_construction(user_logins: StreamDefinition) -> None:
    with pytest.raises(UsageError, match="db_retry_seconds is -1; it must be from 0 to 39600"):
        WriteRejections("postgresql://writer@db/logins", db_retry_seconds=-1)


def failure_of(
    batch: list[Rejection], stream: StreamDefinition, dsn: str, retry_seconds: float = 300
) -> tuple[list[object], Exception | None]:
    """Run a write that must fail; return what came out, and what whoever started the job is told."""
    receipts, context = Collect(), RunContext()
    pipeline = a_pipeline()
    pipeline | beam.Create([batch]) | WriteRejections(dsn, retry_seconds, context=context) | receipts
    with pytest.raises(Exception, match="postgres: "):
        pipeline.run().wait_until_finish()
    return receipts.elements, context.failure
