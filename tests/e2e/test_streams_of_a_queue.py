"""Several streams on one queue: each message goes to the table of its own stream, and what none takes is accounted for.

From SQS through the whole job into Postgres, and back by unmask.
"""

from __future__ import annotations

import time

import pytest

from maskline.pipeline.summary import RunCounts
from maskline.sqs import SqsQueue
from maskline.streams.stream_set import Unmatched
from tests.e2e.conftest import StartJob
from tests.e2e.queue_of_streams import CLICKS, ORDERS, QueueOfStreams, click, order

UNKNOWN = '{"kind": "refund", "id": 9}'


def test_two_kinds_of_event_go_to_their_tables_and_come_back_by_unmask(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    orders, clicks = queue_of_streams.define(ORDERS, CLICKS)
    queue.send([order(1), click("/a", "bob@example.com", "eve@example.com"), order(2, kind="changed"), UNKNOWN])

    context = queue_of_streams.run([orders, clicks])

    assert queue_of_streams.sql("SELECT id FROM shop.orders ORDER BY id") == [(1,), (2,)]
    assert queue_of_streams.sql("SELECT page, cardinality(masked_emails) FROM clicks") == [("/a", 2)]
    assert queue_of_streams.sql("SELECT stream, reason FROM rejected_messages") == [("-", "no_stream")]
    assert queue_of_streams.unmasked(orders, "masked_email", capsys) == ["ann1@example.com", "ann2@example.com"]
    assert queue_of_streams.unmasked(clicks, "masked_emails", capsys) == ["bob@example.com", "eve@example.com"]
    assert queue.depth().total == 0
    counts = RunCounts.of(context.tally)
    assert {name: (of.written, of.rejected) for name, of in counts.streams.items()} == {
        "-": (0, 1),
        "clicks": (1, 0),
        "orders": (2, 0),
    }


def test_a_folder_of_definitions_is_a_set_of_streams(queue_of_streams: QueueOfStreams, queue: SqsQueue) -> None:
    queue_of_streams.define(ORDERS, CLICKS)
    queue.send([order(1), click("/a")])

    queue_of_streams.run([str(queue_of_streams.folder)])

    assert queue_of_streams.sql("SELECT count(*) FROM shop.orders") == [(1,)]
    assert queue_of_streams.sql("SELECT count(*) FROM clicks") == [(1,)]


def test_what_no_stream_takes_is_left_for_another_consumer(queue_of_streams: QueueOfStreams, queue: SqsQueue) -> None:
    streams = queue_of_streams.define(ORDERS, CLICKS)
    queue.send([UNKNOWN, order(1), "not JSON", click("/a")])

    context = queue_of_streams.run(streams, unmatched=Unmatched.LEAVE)

    assert queue_of_streams.sql("SELECT count(*) FROM shop.orders") == [(1,)]
    assert queue_of_streams.sql("SELECT count(*) FROM clicks") == [(1,)]
    assert queue_of_streams.sql("SELECT count(*) FROM rejected_messages") == [(0,)]
    assert queue_of_streams.sql("SELECT count(*) FROM maskline_outcomes") == [(2,)]
    assert sorted(message.body for message in queue.receive(10, 0, 30)) == sorted(["not JSON", UNKNOWN])
    assert context.in_flight.count() == 0


def test_a_message_that_is_left_is_looked_at_less_and_less_often(
    queue_of_streams: QueueOfStreams, queue: SqsQueue
) -> None:
    streams = queue_of_streams.define(ORDERS)
    queue.send([UNKNOWN])

    started = time.monotonic()
    context = queue_of_streams.run(streams, unmatched=Unmatched.LEAVE, long_poll_seconds=1)
    (message,) = queue.receive(10, 0, 30)

    # At once, then after 1, 2, 4 … seconds: no more than that, however often the job polled meanwhile.
    allowed = 2 + int((time.monotonic() - started) + 1).bit_length()
    assert 1 < message.receive_count <= allowed
    assert context.tally.counts()["left"] == message.receive_count - 1


def test_a_stream_alone_leaves_what_it_does_not_match(queue_of_streams: QueueOfStreams, queue: SqsQueue) -> None:
    (orders,) = queue_of_streams.define(ORDERS)
    queue.send([click("/a"), order(1)])

    queue_of_streams.run([orders], unmatched=Unmatched.LEAVE)

    assert queue_of_streams.sql("SELECT count(*) FROM shop.orders") == [(1,)]
    assert [message.body for message in queue.receive(10, 0, 30)] == [click("/a")]


def test_the_command_runs_several_streams_and_checks_the_table_of_each(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, start_job: StartJob
) -> None:
    streams = [f"--stream={stream}" for stream in queue_of_streams.define(ORDERS, CLICKS)]
    queue.send([order(1), click("/a"), UNKNOWN])

    job = start_job(*streams, "--until_empty")
    assert job.wait() == 0, job.errors
    queue_of_streams.sql("ALTER TABLE clicks DROP COLUMN page; ALTER TABLE shop.orders DROP COLUMN id")
    check = start_job(*streams, command="check")

    rows = [" ".join(line.strip("│").replace("│", "").split()) for line in job.output.splitlines()]
    expected = {"written 2", "rejected 1", "orders: written 1", "clicks: written 1", "no stream: rejected 1"}
    assert expected <= set(rows)
    assert check.wait() == 2
    assert "table clicks has no column page text" in check.output
    assert "table shop.orders has no column id bigint" in check.output


def test_a_definition_that_fits_nothing_ends_the_job_before_it_drains_the_queue(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, start_job: StartJob
) -> None:
    (orders,) = queue_of_streams.define(ORDERS.replace('field = "customer.email"', 'field = "mail"'))
    sent = queue.send([order(number) for number in range(60)])

    job = start_job(f"--stream={orders}", "--until_empty", "--stop_when_rejected=50")

    assert job.wait() == 1
    assert "messages cannot become rows" in job.errors.splitlines()[-1]
    assert "missing_field: field mail missing" in job.errors.splitlines()[-1]
    assert "Traceback" not in job.errors
    assert queue_of_streams.sql("SELECT count(*) FROM rejected_messages") == [(0,)]
    assert queue.depth().total == len(sent)


def test_fewer_rejections_than_allowed_end_nothing(queue_of_streams: QueueOfStreams, queue: SqsQueue) -> None:
    (orders,) = queue_of_streams.define(ORDERS)
    queue.send([order(number) for number in range(40)] + [UNKNOWN] * 10)

    queue_of_streams.run([orders], stop_when_rejected=30)

    assert queue_of_streams.sql("SELECT count(*) FROM shop.orders") == [(40,)]
    assert queue_of_streams.sql("SELECT count(*) FROM rejected_messages") == [(10,)]


def test_a_run_that_rejected_most_says_why_in_one_line(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, start_job: StartJob
) -> None:
    (orders,) = queue_of_streams.define(ORDERS)
    queue.send([order(1), order(2, id="x"), order(3, id="y"), order(4, id=None)])

    job = start_job(f"--stream={orders}", "--until_empty")

    assert job.wait() == 0, job.errors
    assert "3 of 4 messages were rejected, 2 of them as wrong_type: field id is a string, not an integer" in job.errors
