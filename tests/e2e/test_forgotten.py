"""A person of a real stream is forgotten: nested events behind SNS, masked subject, partitions, rejections, copies."""

from __future__ import annotations

import functools
import io
import json
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import apache_beam as beam
import pytest

from maskline.keys import Keyset, KeysetUri
from maskline.masks.deterministic import Masker
from maskline.pipeline.cli import main
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.connection import Connection, connect
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.statements import InsertRows
from maskline.postgres.writer import BatchWriter
from maskline.records import MaskedRow, SqsMessage
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import parse_stream
from maskline.streams.masking import MessageMasker
from maskline.transforms.run_context import RunContext
from tests.maskline.lake.copies import files_that_know, rows_in
from tests.maskline.postgres.records import rows_of, run, value_of

PERSON = "Ann@Example.com"
MARKS = ("ann@example.com", "Ann@Example.com", "4917012345", "ann-from-berlin")
ORDERS = """
name = "orders"
table = "orders"

[message]
envelope = ["sns"]
root = "detail.order"

[subject]
columns = ["masked_email"]

[domains.email]
normalize = "email"

[columns.order_id]
field = "id"
type = "bigint"

[columns.masked_email]
field = "customer.email"
type = "varchar(400)"
mask = "deterministic"
domain = "email"

[columns.masked_phone]
field = "customer.phone"
type = "varchar(400)"
mask = "deterministic"
nullable = true

[columns.note]
type = "text"
clear = true

[[test]]
body = "no JSON"
rejected = "not_json"
"""
TABLE = """
CREATE TABLE orders (
    order_id bigint, masked_email varchar(400), masked_phone varchar(400), note text,
    create_date date, message_id uuid, sent_at timestamptz, processed_at timestamptz DEFAULT now(), key_id bigint,
    written_in xid8 NOT NULL DEFAULT pg_current_xact_id()
) PARTITION BY RANGE (create_date);
CREATE TABLE orders_before PARTITION OF orders FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
CREATE TABLE orders_since PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO (MAXVALUE);
CREATE INDEX ON orders (written_in);
"""


def order(number: int, email: str, **changes: object) -> str:
    """Return an order in its event, in a notification of SNS."""
    record: dict[str, object] = {
        "id": number,
        "customer": {"email": email, "phone": "4917012345" if "nn@" in email else f"49{number}"},
        "note": "ann-from-berlin" if "nn@" in email else "somebody",
    }
    event = json.dumps({"detail": {"order": record | changes}})
    return json.dumps({"Type": "Notification", "MessageId": "m", "TopicArn": "arn:x", "Message": event})


def test_a_person_is_in_no_file_any_more(
    dsn: str,
    keyset: Keyset,
    keyset_uri: str,
    queue: SqsQueue,
    queue_address: QueueAddress,
    database: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    definition = tmp_path / "orders.toml"
    definition.write_text(ORDERS)
    stream = parse_stream(ORDERS, origin="orders.toml")
    run(database, TABLE)
    theirs = [order(1, "Ann@Example.com"), order(2, " ann@example.com ")]
    their_rejections = [order(3, "ann@example.com", id="three"), order(4, "Ann@Example.com")[:-30]]
    others = [order(5, "bob@example.com")]
    others_rejections = [order(6, "bob@example.com", id="six")]
    queue.send([*theirs, *their_rejections, *others, *others_rejections])
    job = JobSettings(
        stream,
        queue_address,
        PostgresDsn.parse(dsn),
        KeysetUri.parse(keyset_uri),
        ReceiveSettings(long_poll_seconds=0, micro_batch_seconds=0.05),
        until_empty=True,
    )
    run_job(job)
    old = MessageMasker(stream, keyset).mask(
        SqsMessage(str(uuid.uuid4()), "handle", theirs[0], datetime(2025, 12, 1, tzinfo=UTC), 1)
    )
    assert isinstance(old, MaskedRow)
    BatchWriter(functools.partial(connect, dsn), InsertRows(stream), 0, threading.Event()).write([old])
    options = [f"--postgres={dsn}", f"--keyset={keyset_uri}", f"--stream={definition}"]
    lake = [f"--lake_opaque={tmp_path / 'opaque'}", f"--lake_clear={tmp_path / 'clear'}"]
    assert main(["lake", "publish", *options, *lake]) == 0
    erase = ["erase", *options, "--stream=user_logins", "--by=customer.email", "--reason=request 12"]
    assert value_of(database, "SELECT count(*) FROM orders_before") == 1
    run(database, "CHECKPOINT")
    assert files_that_know(files_of(database), *MARKS) != []
    capsys.readouterr()

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PERSON}\n"))
    exit_code = main([*erase, *lake])

    said = capsys.readouterr().out
    assert exit_code == 0, said
    assert "orders: 3 rows removed.\nrejected_messages: 2 removed.\n" in said
    assert "user_logins: not looked through, for customer.email does not say whose the rows" in said
    assert rows_of(database, "SELECT order_id FROM orders") == [(5,)]
    ((body, message_id),) = rows_of(database, "SELECT body, message_id::text FROM rejected_messages")
    assert Masker(keyset).unseal_body(bytes(body), "orders", message_id) == others_rejections[0]
    assert rows_in(tmp_path / "opaque", "order_id") == rows_in(tmp_path / "clear", "order_id") == [5]
    assert main(["lake", "vacuum", *options[2:], *lake, "--retention_hours=0", "--allow_short_retention"]) == 0
    tokens = [Masker(alone).mask("ann@example.com", "email") for alone in keyset.each_alone()]
    assert files_that_know(tmp_path / "opaque", *MARKS, *tokens) == []
    assert files_that_know(tmp_path / "clear", *MARKS, *tokens) == []
    for statement in ("VACUUM FULL orders", "VACUUM FULL rejected_messages", "ANALYZE", "VACUUM FULL pg_statistic"):
        run(database, statement)
    run(database, "CHECKPOINT")
    assert files_that_know(files_of(database), *MARKS, *tokens) == []

    redelivered = MessageMasker(stream, keyset).mask(
        SqsMessage(str(uuid.uuid4()), "handle", theirs[0], datetime.now(UTC) - timedelta(minutes=5), 2)
    )
    assert isinstance(redelivered, MaskedRow)
    writer = BatchWriter(functools.partial(connect, dsn), InsertRows(stream), 0, threading.Event())
    assert writer.write([redelivered]).suppressed == 1
    writer.close()


def test_what_is_suppressed_is_counted_and_deleted_from_the_queue(
    dsn: str,
    keyset_uri: str,
    queue: SqsQueue,
    queue_address: QueueAddress,
    database: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    definition = tmp_path / "orders.toml"
    definition.write_text(ORDERS)
    run(database, TABLE)
    queue.send([order(1, "Ann@Example.com"), order(2, "ann@example.com", id="two"), order(5, "bob@example.com")])
    options = [f"--postgres={dsn}", f"--keyset={keyset_uri}", f"--stream={definition}", "--no_lake"]
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{PERSON}\n"))
    assert main(["erase", *options, "--stream=user_logins", "--by=masked_email", "--reason=request 12"]) == 0
    stream = parse_stream(ORDERS, origin="orders.toml")
    receive = ReceiveSettings(long_poll_seconds=0, micro_batch_seconds=0.05)

    context = run_job(
        JobSettings(
            stream, queue_address, PostgresDsn.parse(dsn), KeysetUri.parse(keyset_uri), receive, until_empty=True
        )
    )

    counts = context.tally.counts()
    assert {name: counts[name] for name in ("written", "suppressed", "rejected", "duplicates", "deleted")} == {
        "written": 1,
        "suppressed": 2,
        "rejected": 0,
        "duplicates": 0,
        "deleted": 3,
    }
    assert rows_of(database, "SELECT order_id FROM orders") == [(5,)]
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 0
    assert queue.depth().total == 0


def files_of(database: Connection) -> Path:
    """Return the directory of the files of a database."""
    query = "SELECT current_setting('data_directory'), oid::text FROM pg_database WHERE datname = current_database()"
    ((directory, oid),) = rows_of(database, query)
    return Path(str(directory)) / "base" / str(oid)


def run_job(job: JobSettings) -> RunContext:
    """Run a job in this process until the queue is empty."""
    context = RunContext(tracks_in_flight=True)
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        build(pipeline, job, context)
    return context
