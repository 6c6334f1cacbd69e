"""Definitions, tables and producers change one after another while jobs run, and nothing is lost on the way."""

from __future__ import annotations

import json

import boto3
import pytest

from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import SqsQueue
from tests.e2e.queue_of_streams import CLICKS, ORDERS, QueueOfStreams, click, order

TENANT = '[columns.tenant]\nfield = "attribute:tenant"\ntype = "text"\nvalues = ["eu", "us"]\n'


def send_with_attributes(queue: SqsQueue, sqs: EmbeddedSqs, body: str) -> None:
    """Send a message with an attribute of each type."""
    boto3.client("sqs", endpoint_url=sqs.endpoint).send_message(
        QueueUrl=queue.url,
        MessageBody=body,
        MessageAttributes={
            "tenant": {"DataType": "String", "StringValue": "eu"},
            "attempt": {"DataType": "Number.count", "StringValue": "3"},
            "digest": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
        },
    )


def requeue(queue_of_streams: QueueOfStreams, *options: str) -> int:
    """Send rejected messages back to where they came from."""
    endpoint = f"--queue_endpoint={queue_of_streams.address.endpoint}"
    return queue_of_streams.command("rejects", "requeue", *options, endpoint, "--reason=the definition was wrong")


def test_what_a_wrong_definition_rejected_comes_back_under_the_fixed_one(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = ORDERS.replace('field = "customer.email"', 'field = "customer.mail"')
    queue.send([order(1), order(2)])

    queue_of_streams.run(queue_of_streams.define(wrong))
    rejected = queue_of_streams.sql("SELECT stream, reason, count(*) FROM rejected_messages GROUP BY 1, 2")
    assert requeue(queue_of_streams, "--all", "--stream=orders") == 0
    (fixed,) = queue_of_streams.define(ORDERS)
    queue_of_streams.run([fixed])

    assert rejected == [("orders", "missing_field", 2)]
    assert queue_of_streams.sql("SELECT id FROM shop.orders ORDER BY id") == [(1,), (2,)]
    assert queue_of_streams.unmasked(fixed, "masked_email", capsys) == ["ann1@example.com", "ann2@example.com"]
    assert queue_of_streams.sql("SELECT count(*) FROM rejected_messages WHERE requeued_at IS NULL") == [(0,)]


def test_what_no_stream_took_comes_back_once_there_is_a_stream_for_it(
    queue_of_streams: QueueOfStreams, queue: SqsQueue
) -> None:
    orders, clicks = queue_of_streams.define(ORDERS, CLICKS)
    refunds = ORDERS.replace('"orders"', '"refunds"').replace('["placed", "changed"]', '"refund"')
    queue.send([order(7, kind="refund"), click("/a"), click("/b", "x") + "}"])

    queue_of_streams.run([orders, clicks])
    assert requeue(queue_of_streams, "--all", "--stream=-") == 0
    queue_of_streams.run(queue_of_streams.define(refunds, ORDERS, CLICKS))

    assert queue_of_streams.sql("SELECT stream, reason FROM rejected_messages WHERE requeued_at IS NULL") == [
        ("-", "not_json")
    ]
    assert queue_of_streams.sql("SELECT id FROM shop.orders") == [(7,)]
    assert queue_of_streams.sql("SELECT page FROM clicks") == [("/a",)]


def test_a_message_goes_back_with_its_attributes_though_the_definition_did_not_know_them(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, sqs: EmbeddedSqs, capsys: pytest.CaptureFixture[str]
) -> None:
    send_with_attributes(queue, sqs, order(1))

    queue_of_streams.run(queue_of_streams.define(ORDERS.replace('field = "customer.email"', 'field = "mail"')))
    ((message_id,),) = queue_of_streams.sql("SELECT message_id::text FROM rejected_messages")
    assert queue_of_streams.command("rejects", "show", message_id, "--reason=a test") == 0
    shown = capsys.readouterr().out
    assert requeue(queue_of_streams, message_id) == 0
    client = boto3.client("sqs", endpoint_url=sqs.endpoint)
    (sent,) = client.receive_message(QueueUrl=queue.url, MessageAttributeNames=["All"], VisibilityTimeout=0)["Messages"]
    (fixed,) = queue_of_streams.define(ORDERS.replace("shop.orders", "shop.by_tenant") + TENANT)
    queue_of_streams.run([fixed])

    assert shown.splitlines()[-4:] == [
        "    attribute attempt: 3",
        "    attribute digest: AP8=",
        "    attribute tenant: eu",
        order(1),
    ]
    assert sent["MessageAttributes"] == {
        "tenant": {"DataType": "String", "StringValue": "eu"},
        "attempt": {"DataType": "Number.count", "StringValue": "3"},
        "digest": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    }
    assert queue_of_streams.sql("SELECT id, tenant FROM shop.by_tenant") == [(1, "eu")]


def test_a_row_that_the_database_refused_goes_back_with_its_attributes(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, sqs: EmbeddedSqs
) -> None:
    (orders,) = queue_of_streams.define(ORDERS + TENANT)
    queue_of_streams.sql("ALTER TABLE shop.orders ADD CONSTRAINT not_yet CHECK (tenant <> 'eu')")
    send_with_attributes(queue, sqs, order(1))

    queue_of_streams.run([orders])
    rejected = queue_of_streams.sql("SELECT stream, reason FROM rejected_messages")
    queue_of_streams.sql("ALTER TABLE shop.orders DROP CONSTRAINT not_yet")
    assert requeue(queue_of_streams, "--all", f"--stream={orders}") == 0
    queue_of_streams.run([orders])

    assert rejected == [("orders", "refused_by_database")]
    assert queue_of_streams.sql("SELECT id, tenant FROM shop.orders") == [(1, "eu")]


def test_a_column_is_added_widened_and_made_optional_while_old_and_new_run(
    queue_of_streams: QueueOfStreams, queue: SqsQueue, capsys: pytest.CaptureFixture[str]
) -> None:
    old_text = ORDERS + '[columns.note]\ntype = "varchar(5)"\nclear = true\n'
    new_text = (
        ORDERS.replace('"customer.email"', '"customer.email"\nrequired = false')
        + '[columns.note]\ntype = "varchar(50)"\nclear = true\n'
        + '[columns.channel]\ntype = "text"\nclear = true\nrequired = false\ndefault = "web"\n'
    )
    (old,) = queue_of_streams.define(old_text)
    (new,) = queue_of_streams.define(new_text.replace('name = "orders"', 'name = "orders"'))
    older = queue_of_streams.folder / "older.toml"
    older.write_text(old_text)
    assert old == new
    # The table goes first: both definitions can write it.
    queue_of_streams.sql("ALTER TABLE shop.orders ALTER COLUMN note TYPE varchar(50)")
    queue_of_streams.sql("ALTER TABLE shop.orders ALTER COLUMN masked_email DROP NOT NULL")
    queue_of_streams.sql("ALTER TABLE shop.orders ADD channel text")
    of_old_producer = [order(number, note="short") for number in (1, 2)]
    of_new_producer = [order(number, note="longer than five", channel="app") for number in (3, 4)]
    without_email = json.dumps({"kind": "placed", "id": 5, "note": "none"})

    queue.send([of_old_producer[0], of_new_producer[0]])
    queue_of_streams.run([str(older)])
    by_old_job = queue_of_streams.sql("SELECT id, channel FROM shop.orders ORDER BY id")
    queue.send([of_old_producer[1], of_new_producer[1], without_email])
    queue_of_streams.run([new])
    assert requeue(queue_of_streams, "--all") == 0
    queue_of_streams.run([new])

    assert by_old_job == [(1, None)]
    assert queue_of_streams.sql("SELECT id, note, channel FROM shop.orders ORDER BY id") == [
        (1, "short", None),
        (2, "short", "web"),
        (3, "longer than five", "app"),
        (4, "longer than five", "app"),
        (5, "none", "web"),
    ]
    assert len(queue_of_streams.unmasked(new, "masked_email", capsys)) == 4
    assert queue_of_streams.sql("SELECT count(*) FROM rejected_messages WHERE requeued_at IS NULL") == [(0,)]
