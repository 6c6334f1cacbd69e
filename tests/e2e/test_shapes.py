"""Each shape that a queue's messages may have goes from SQS through the whole job into Postgres, and back by unmask."""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from typing import Any

import apache_beam as beam
import boto3
import pytest
import zstandard

from maskline.keys import KeysetUri
from maskline.pipeline.cli import main
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.postgres.connection import Connection
from maskline.postgres.ddl import create_table
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import parse_stream
from maskline.transforms.run_context import RunContext
from tests.aws_emulation import EmulatedAws

LOGIN = json.dumps({"user_id": "u1", "ip": "203.0.113.1"})
COLUMNS = """
[columns.user_id]
type = "varchar(40)"
clear = true

[columns.masked_ip]
field = "ip"
type = "varchar(200)"
mask = "deterministic"
domain = "ip"
"""
SNS = {
    "Type": "Notification",
    "MessageId": "5f2c1d3e-0000-4000-8000-000000000001",
    "TopicArn": "arn:aws:sns:eu-central-1:123456789012:t",
    "Message": LOGIN,
    "Timestamp": "2026-01-31T12:00:00.000Z",
}
EVENTBRIDGE = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "login",
    "source": "app",
    "time": "2026-01-31T12:00:00Z",
    "detail": json.loads(LOGIN),
}
CLOUDEVENT = {"specversion": "1.0", "id": "1", "source": "/app", "type": "login", "data": json.loads(LOGIN)}
ORDER = {
    "id": 7,
    "customer": {"email": "Ann@Example.com", "phone": 491701234567},
    "shipping": {"address": {"zip": "10115"}},
    "items": [{"sku": "a", "qty": 2}],
    "contacts": [{"email": "a@x.de"}, {"email": "b@x.de"}],
    "placed": 1769860800000,
}
ORDER_COLUMNS = """
[columns.id]
type = "integer"

[columns.masked_phone]
field = "customer.phone"
type = "varchar(200)"
mask = "deterministic"
domain = "phone"
format = "text"

[columns.emails]
field = "contacts[*].email"
type = "text[]"
mask = "deterministic"
domain = "email"

[columns.zip]
field = "shipping.address.zip"
type = "varchar(10)"
pattern = "[0-9]{5}"

[columns.coupon]
type = "text"
clear = true
required = false

[columns.placed]
type = "timestamptz"
format = "epoch_ms"
"""


class Job:
    """The whole job of a stream of the test's own, in this process."""

    def __init__(self, address: QueueAddress, dsn: str, keyset_uri: str, directory: Any) -> None:
        self._address, self._dsn, self._keyset_uri = address, dsn, keyset_uri
        self._file = directory / "shapes.toml"

    def run(self, definition: str, database: Connection) -> RunContext:
        """Make the stream's table, and run the job until the queue is empty."""
        self._file.write_text('name = "shapes"\ntable = "shop.order"\n' + definition)
        stream = parse_stream(self._file.read_text(), "shapes.toml")
        with database.cursor() as cursor:
            cursor.execute("CREATE SCHEMA shop")
            cursor.execute(create_table(stream))
        receive = ReceiveSettings(long_poll_seconds=0, micro_batch_seconds=0.05)
        postgres, keyset = PostgresDsn.parse(self._dsn), KeysetUri.parse(self._keyset_uri)
        context = RunContext(tracks_in_flight=True)
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            build(pipeline, JobSettings(stream, self._address, postgres, keyset, receive, until_empty=True), context)
        return context

    def unmasked(self, column: str, capsys: pytest.CaptureFixture[str]) -> list[str]:
        """Return the clear values of a column, as ``unmask`` prints them."""
        capsys.readouterr()
        options = [f"--postgres={self._dsn}", f"--keyset={self._keyset_uri}", f"--stream={self._file}"]
        assert main(["unmask", *options, f"--column={column}", "--reason=a test"]) == 0
        return [value for _, _, value in list(csv.reader(io.StringIO(capsys.readouterr().out)))[1:]]


@pytest.fixture
def job(queue_address: QueueAddress, dsn: str, keyset_uri: str, tmp_path: Any) -> Job:
    """The job, ready for a definition."""
    return Job(queue_address, dsn, keyset_uri, tmp_path)


def _rows(database: Connection, columns: str) -> list[tuple[Any, ...]]:
    with database.cursor() as cursor:
        cursor.execute(f'SELECT {columns} FROM shop."order"')
        return cursor.fetchall()


def _send_with_attributes(queue: SqsQueue, sqs: EmbeddedSqs, body: str, **attributes: str) -> None:
    client = boto3.client("sqs", endpoint_url=sqs.endpoint)
    typed = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
    client.send_message(QueueUrl=queue.url, MessageBody=body, MessageAttributes=typed)


@pytest.mark.parametrize(
    ("message", "body"),
    [
        pytest.param('envelope = ["sns"]', json.dumps(SNS), id="sns"),
        pytest.param('envelope = ["eventbridge"]', json.dumps(EVENTBRIDGE), id="eventbridge"),
        pytest.param('envelope = ["cloudevents"]', json.dumps(CLOUDEVENT), id="cloudevents"),
        pytest.param(
            'envelope = ["sns", "eventbridge"]',
            json.dumps(SNS | {"Message": json.dumps(EVENTBRIDGE)}),
            id="eventbridge in sns",
        ),
        pytest.param('decode = ["base64"]', base64.b64encode(LOGIN.encode()).decode(), id="base64"),
        pytest.param(
            'decode = ["base64", "gzip"]', base64.b64encode(gzip.compress(LOGIN.encode())).decode(), id="gzip"
        ),
        pytest.param(
            'decode = ["base64", "zstd"]', base64.b64encode(zstandard.compress(LOGIN.encode())).decode(), id="zstd"
        ),
        pytest.param('root = "a.b"', f'{{"a": {{"b": {LOGIN}}}}}', id="root"),
    ],
)
def test_what_is_around_a_record_is_opened(
    message: str, body: str, job: Job, queue: SqsQueue, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.send([body])

    job.run(f"[message]\n{message}\n{COLUMNS}", database)

    assert _rows(database, "user_id") == [("u1",)]
    assert job.unmasked("masked_ip", capsys) == ["203.0.113.1"]
    assert queue.depth().total == 0


def test_nested_fields_numbers_arrays_and_absent_fields_become_columns(
    job: Job, queue: SqsQueue, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.send([json.dumps(ORDER)])

    job.run(ORDER_COLUMNS, database)

    found = _rows(database, "id, zip, coupon, extract(epoch FROM placed)::bigint, cardinality(emails)")
    assert found == [(7, "10115", None, 1769860800, 2)]
    assert job.unmasked("masked_phone", capsys) == ["491701234567"]
    assert job.unmasked("emails", capsys) == ["a@x.de", "b@x.de"]


def test_message_attributes_become_columns(
    job: Job, queue: SqsQueue, sqs: EmbeddedSqs, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    _send_with_attributes(queue, sqs, LOGIN, tenant="eu", other="x")

    job.run(COLUMNS + '[columns.tenant]\nfield = "attribute:tenant"\ntype = "text"\nvalues = ["eu"]\n', database)

    assert _rows(database, "user_id, tenant") == [("u1", "eu")]
    assert job.unmasked("masked_ip", capsys) == ["203.0.113.1"]


def test_a_cloudevent_in_binary_mode_has_its_attributes_beside_the_body(
    job: Job, queue: SqsQueue, sqs: EmbeddedSqs, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    attributes = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/app", "ce-type": "login"}
    _send_with_attributes(queue, sqs, LOGIN, **attributes)

    kind = '[columns.kind]\nfield = "envelope:type"\ntype = "text"\nvalues = ["login"]\n'
    job.run(f'[message]\nenvelope = ["cloudevents"]\n{COLUMNS}{kind}', database)

    assert _rows(database, "user_id, kind") == [("u1", "login")]
    assert job.unmasked("masked_ip", capsys) == ["203.0.113.1"]


def test_numbers_and_booleans_are_read_from_strings_and_masked(
    job: Job, queue: SqsQueue, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.send(['{"total": "12.50", "count": "9007199254740993", "gift": true, "age": 42, "member": false}'])

    masked = "".join(
        f'[columns.masked_{name}]\nfield = "{name}"\ntype = "text"\nmask = "deterministic"\nformat = "text"\n'
        for name in ("age", "member")
    )
    job.run(
        '[columns.total]\ntype = "numeric(9, 2)"\nformat = "number"\n'
        '[columns.count]\ntype = "bigint"\nformat = "number"\n'
        f'[columns.gift]\ntype = "boolean"\n{masked}',
        database,
    )

    assert _rows(database, "total::text, count, gift") == [("12.50", 9007199254740993, True)]
    assert job.unmasked("masked_age", capsys) == ["42"]
    assert job.unmasked("masked_member", capsys) == ["false"]


def test_an_object_in_s3_that_a_notification_of_sns_points_to_is_fetched(
    job: Job, queue: SqsQueue, aws: EmulatedAws, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    bucket = aws.create_bucket()
    aws.client("s3").put_object(Bucket=bucket, Key="0f1a", Body=gzip.compress(LOGIN.encode(), mtime=0))
    pointer = ["software.amazon.payloadoffloading.PayloadS3Pointer", {"s3BucketName": bucket, "s3Key": "0f1a"}]
    queue.send([json.dumps(SNS | {"Message": json.dumps(pointer)})])

    job.run(f'[message]\nenvelope = ["sns", "s3-pointer"]\ndecode = ["gzip"]\n{COLUMNS}', database)

    assert _rows(database, "user_id") == [("u1",)]
    assert job.unmasked("masked_ip", capsys) == ["203.0.113.1"]
    assert queue.depth().total == 0


@pytest.mark.parametrize("deletes", [True, False])
def test_an_object_in_s3_is_fetched_and_deleted_only_where_the_definition_says_so(
    deletes: bool,
    job: Job,
    queue: SqsQueue,
    aws: EmulatedAws,
    database: Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bucket, s3 = aws.create_bucket(), aws.client("s3")
    s3.put_object(Bucket=bucket, Key="0f1a", Body=LOGIN.encode())
    pointer = {"s3BucketName": bucket, "s3Key": "0f1a"}
    queue.send([json.dumps(["software.amazon.payloadoffloading.PayloadS3Pointer", pointer])])

    definition = f'[message]\nenvelope = ["s3-pointer"]\ndelete_payload = {str(deletes).lower()}\n{COLUMNS}'
    job.run(definition, database)

    assert _rows(database, "user_id") == [("u1",)]
    assert job.unmasked("masked_ip", capsys) == ["203.0.113.1"]
    assert queue.depth().total == 0
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == (0 if deletes else 1)


def test_an_object_that_is_gone_is_a_rejection(
    job: Job, queue: SqsQueue, aws: EmulatedAws, database: Connection
) -> None:
    pointer = {"s3BucketName": aws.create_bucket(), "s3Key": "gone"}
    queue.send([json.dumps(["com.amazon.sqs.javamessaging.MessageS3Pointer", pointer])])

    job.run(f'[message]\nenvelope = ["s3-pointer"]\n{COLUMNS}', database)

    with database.cursor() as cursor:
        cursor.execute("SELECT reason FROM rejected_messages")
        assert cursor.fetchall() == [("payload_gone",)]
    assert queue.depth().total == 0
