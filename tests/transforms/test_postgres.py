"""The Postgres sink on FnApiRunner: receipts of what is committed, rejections of what is refused."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to

from maskline.errors import DatabaseError, DatabaseUnavailableError, UsageError
from maskline.postgres.connection import Connection, open_connection
from maskline.records import MaskedRow, Reason, Receipt, Rejection
from maskline.streams.definition import StreamDefinition, parse_stream
from maskline.streams.stream_set import StreamSet
from maskline.transforms import WriteToPostgres
from maskline.transforms.run_context import RunContext
from tests.maskline.postgres.records import message_id, row, rows_of, run, value_of
from tests.transforms.database_faults import fail_commits
from tests.transforms.running import Collect, a_pipeline, measured_pipeline

TOO_LONG = "2.3.0-nobody-may-see-this-in-any-log"


@pytest.fixture(params=[False, True], ids=["in_turn", "overlapping"])
def overlapping(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def receipt(number: int) -> Receipt:
    return Receipt(message_id(number), f"handle-{number}")


def test_the_receipts_of_committed_rows_come_out(
    dsn: str, database: Connection, user_logins: StreamDefinition, overlapping: bool
) -> None:
    with a_pipeline() as pipeline:
        committed, rejected_rows = (
            pipeline
            | beam.Create([[row(1), row(2)], [row(3)]])
            | WriteToPostgres(user_logins, dsn, overlapping=overlapping)
        )
        assert_that(committed, equal_to([[receipt(1), receipt(2)], [receipt(3)]]), "committed")
        assert_that(rejected_rows, equal_to([]), "rejected rows")

    stored = rows_of(database, "SELECT message_id::text, user_id, app_version FROM user_logins ORDER BY message_id")
    assert stored == [
        ("6f9619ff-8b86-4011-b42d-000000000001", "424cdd21-063a-43a7-b91b-7ca1a833afae", "2.3.0"),
        ("6f9619ff-8b86-4011-b42d-000000000002", "424cdd21-063a-43a7-b91b-7ca1a833afae", "2.3.0"),
        ("6f9619ff-8b86-4011-b42d-000000000003", "424cdd21-063a-43a7-b91b-7ca1a833afae", "2.3.0"),
    ]


def test_a_receipt_comes_out_only_after_its_row_is_committed(
    dsn: str, user_logins: StreamDefinition, overlapping: bool
) -> None:
    seen_by_others = Collect()
    write = WriteToPostgres(user_logins, dsn, overlapping=overlapping)

    with a_pipeline() as pipeline:
        committed, _ = pipeline | beam.Create([[row(1), row(2)], [row(3)]]) | write
        committed | beam.FlatMap(functools.partial(rows_that_others_see, dsn)) | seen_by_others

    assert sorted(seen_by_others.elements) == [(message_id(1), 1), (message_id(2), 1), (message_id(3), 1)]


@pytest.mark.parametrize("sqlstate", ["40001", "57P01"])
def test_no_receipt_comes_out_where_the_commit_fails(
    dsn: str, database: Connection, user_logins: StreamDefinition, sqlstate: str, overlapping: bool
) -> None:
    fail_commits(database, "user_logins", times=1_000_000, sqlstate=sqlstate)
    receipts, rejections = Collect(), Collect()

    context = RunContext()
    write = WriteToPostgres(user_logins, dsn, db_retry_seconds=0, context=context, overlapping=overlapping)
    error = failure_of([row(1), row(2)], write, context, receipts, rejections)

    assert isinstance(error, DatabaseUnavailableError)
    assert sqlstate in str(error)
    assert receipts.elements == rejections.elements == []
    assert value_of(database, "SELECT count(*) FROM user_logins") == 0


def test_a_table_that_is_gone_stops_the_job_and_rejects_nothing(
    dsn: str, database: Connection, user_logins: StreamDefinition
) -> None:
    run(database, "DROP TABLE user_logins")
    receipts, rejections = Collect(), Collect()

    context = RunContext()
    write = WriteToPostgres(user_logins, dsn, context=context)
    error = failure_of([row(1), row(2)], write, context, receipts, rejections)

    assert isinstance(error, DatabaseError)
    assert 'relation "user_logins" does not exist' in str(error)
    assert receipts.elements == rejections.elements == []


def test_a_database_that_nobody_serves_fails_the_bundle(user_logins: StreamDefinition) -> None:
    receipts, rejections = Collect(), Collect()
    context = RunContext()
    dsn = "postgresql://postgres@/logins?host=/there/is/none"
    write = WriteToPostgres(user_logins, dsn, db_retry_seconds=0, context=context)

    error = failure_of([row(1)], write, context, receipts, rejections)

    assert isinstance(error, DatabaseUnavailableError)
    assert receipts.elements == rejections.elements == []


def test_a_failed_commit_is_tried_again_and_its_receipts_come_out_once(
    dsn: str, database: Connection, user_logins: StreamDefinition, overlapping: bool
) -> None:
    fail_commits(database, "user_logins", times=2)

    with measured_pipeline() as (pipeline, measured):
        committed, _ = pipeline | beam.Create([[row(1)]]) | WriteToPostgres(user_logins, dsn, overlapping=overlapping)
        assert_that(committed, equal_to([[receipt(1)]]))

    assert value_of(database, "SELECT count(*) FROM user_logins") == 1
    assert measured.counters == {"db_retries": 2, "written": 1, "unvouched": 1}


def test_a_refused_row_comes_out_as_a_rejection_and_the_good_ones_beside_it_are_committed(
    dsn: str, database: Connection, user_logins: StreamDefinition, overlapping: bool
) -> None:
    rejections = Collect()

    with a_pipeline() as pipeline:
        committed, rejected_rows = (
            pipeline
            | beam.Create([[row(1), row(2, app_version=TOO_LONG), row(3)], [row(4, app_version=TOO_LONG)]])
            | WriteToPostgres(user_logins, dsn, overlapping=overlapping)
        )
        assert_that(committed, equal_to([[receipt(1), receipt(3)]]))
        rejected_rows | rejections

    first, second = [rejection for batch in rejections.elements for rejection in batch]
    assert first == Rejection(
        receipt(2),
        "user_logins",
        Reason.REFUSED_BY_DATABASE,
        "22001 string_data_right_truncation",
        datetime(2023, 11, 5, 12, 30, tzinfo=UTC),
        2,
        4_000_000_001,
        b"\x01sealed",
    )
    assert second.receipt == receipt(4)
    assert value_of(database, "SELECT array_agg(right(message_id::text, 1)) FROM user_logins") == ["1", "3"]


def test_what_happened_is_counted(dsn: str, user_logins: StreamDefinition, overlapping: bool) -> None:
    with a_pipeline() as pipeline:
        pipeline | beam.Create([[row(1)]]) | WriteToPostgres(user_logins, dsn)

    with measured_pipeline() as (pipeline, measured):
        batch = [row(1), row(2), row(2), row(3, app_version=TOO_LONG), row(4)]
        pipeline | beam.Create([batch, [row(5)]]) | WriteToPostgres(user_logins, dsn, overlapping=overlapping)

    assert measured.counters == {"written": 3, "duplicates": 2, "unvouched": 3}
    assert measured.distributions["batch_size"] == (2, 6, 1, 5)
    commits, _, least, most = measured.distributions["commit_milliseconds"]
    assert commits == 2
    assert 0 <= least <= most < 10_000


def test_the_latency_is_from_sent_to_committed_of_each_new_row(dsn: str, user_logins: StreamDefinition) -> None:
    now = datetime.now(UTC)
    an_hour_old, a_minute_old = now - timedelta(hours=1), now - timedelta(minutes=1)
    with a_pipeline() as pipeline:
        pipeline | beam.Create([[row(1)]]) | WriteToPostgres(user_logins, dsn)

    with measured_pipeline() as (pipeline, measured):
        batch = [row(1), row(2, sent_at=an_hour_old), row(3, sent_at=a_minute_old)]
        pipeline | beam.Create([batch]) | WriteToPostgres(user_logins, dsn)

    count, _, least, most = measured.distributions["end_to_end_latency_milliseconds"]
    assert count == 2
    assert 60_000 <= least < 90_000
    assert 3_600_000 <= most < 3_630_000


@pytest.mark.parametrize(
    "dsn",
    ["postgresql://writer:hunter2@db/logins", "host=db password=hunter2", "postgresql://db/logins?password=hunter2"],
)
def test_a_password_is_refused_at_construction_and_not_repeated(dsn: str, user_logins: StreamDefinition) -> None:
    with pytest.raises(UsageError, match="holds a password") as refused:
        WriteToPostgres(user_logins, dsn)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("seconds", [-1, 39_601, float("nan")])
def test_a_time_to_retry_out_of_its_range_is_refused_at_construction(
    seconds: float, user_logins: StreamDefinition
) -> None:
    with pytest.raises(UsageError, match=f"db_retry_seconds is {seconds}; it must be from 0 to 39600"):
        WriteToPostgres(user_logins, "postgresql://writer@db/logins", db_retry_seconds=seconds)


def failure_of(
    batch: list[MaskedRow], write: WriteToPostgres, context: RunContext, receipts: Collect, rejections: Collect
) -> Exception | None:
    """Run a write that must fail, and return what whoever started the job is told."""
    pipeline = a_pipeline()
    committed, rejected_rows = pipeline | beam.Create([batch]) | write
    committed | "Receipts" >> receipts
    rejected_rows | "Rejections" >> rejections
    with pytest.raises(Exception, match="postgres: "):
        pipeline.run().wait_until_finish()
    return context.failure


def rows_that_others_see(dsn: str, receipts: list[Receipt]) -> Iterator[tuple[str, int]]:
    """Count each message's rows over a connection of one's own."""
    with open_connection(dsn) as connection:
        for one in receipts:
            query = "SELECT count(*) FROM user_logins WHERE message_id = %s"
            yield one.message_id, value_of(connection, query, [one.message_id])
    connection.close()


def test_rows_of_several_streams_go_each_to_its_table_and_are_rejected_under_its_name(
    dsn: str, database: Connection
) -> None:
    columns = "create_date date, message_id uuid PRIMARY KEY, sent_at timestamptz, key_id bigint"
    run(database, f"CREATE TABLE orders (total integer CHECK (total > 0), {columns})")
    run(database, f"CREATE TABLE visits (pages integer, {columns})")
    orders = 'name = "orders"\ntable = "orders"\n[match]\nkind = "order"\n[columns.total]\ntype = "integer"\n'
    visits = 'name = "visits"\ntable = "visits"\n[columns.pages]\ntype = "integer"\n'
    streams = StreamSet((parse_stream(orders, origin="test"), parse_stream(visits, origin="test")))
    sent_at = datetime(2023, 11, 5, tzinfo=UTC)
    batch = [
        MaskedRow(receipt(number), sent_at, 1, 7, (value,), b"sealed", stream)
        for number, (stream, value) in enumerate([("orders", 5), ("visits", 9), ("orders", -1)], start=1)
    ]
    rejections = Collect()

    with a_pipeline() as pipeline:
        committed, rejected_rows = pipeline | beam.Create([batch]) | WriteToPostgres(streams, dsn)
        assert_that(committed, equal_to([[receipt(1), receipt(2)]]), "committed")
        rejected_rows | rejections

    assert rows_of(database, "SELECT total FROM orders") == [(5,)]
    assert rows_of(database, "SELECT pages FROM visits") == [(9,)]
    ((rejection,),) = rejections.elements
    assert (rejection.stream, rejection.receipt) == ("orders", receipt(3))
