"""``rejects``: looked after without showing what is in them, shown on record, and sent back once."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, datetime

import pytest
from rich.console import Console

from maskline.pipeline.cli import main
from maskline.pipeline.commands.rejects import print_rejects
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.postgres.connection import Connection
from maskline.postgres.rejections import RejectedMessage
from maskline.sqs import QueueAddress, SqsQueue
from tests.e2e.conftest import login
from tests.maskline.postgres.records import rows_of, run, value_of
from tests.pipeline.commands.conftest import Write

BAD = '{"user_id": "SECRET-PERSON", "ip": "203.0.113.7"}'


def test_the_list_shows_why_and_nothing_of_what(dsn: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write([login(1), BAD, "SECRET", '["SECRET"]', login(2, locale=None, user_id=None), login(3, app_version=1)])

    exit_code = main(["rejects", "list", f"--postgres={dsn}"])

    shown = capsys.readouterr().out
    assert exit_code == 0
    reasons = "missing_field 1, not_an_object 1, not_json 1, null_field 1, wrong_type 1"
    assert f"Not sent back: 5 ({reasons})\n" in shown
    assert "SECRET" not in shown
    assert "203.0.113.7" not in shown


def test_the_list_holds_nothing_that_a_terminal_obeys() -> None:
    moment = datetime(2026, 1, 31, 12, tzinfo=UTC)
    rejected = RejectedMessage("id", "orders\x1b[2J", "not_json", "no\x07 JSON\u202e", moment, moment, 1, None)
    shown = io.StringIO()

    print_rejects([rejected], Console(file=shown))

    assert shown.getvalue() == ("id  2026-01-31 12:00:00 UTC  orders\\x1b[2J: not_json\n    no\\x07 JSON\\u202e\n")


def test_the_list_can_be_narrowed(dsn: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write([BAD, "SECRET"])

    main(["rejects", "list", f"--postgres={dsn}", "--rejection_reason=not_json"])

    table = capsys.readouterr().out.partition("Not sent back")[0]
    assert table.count("not_json") == 1
    assert "missing_field" not in table


def test_one_is_shown_to_a_key_holder_and_that_is_on_record(
    dsn: str, keyset_uri: str, write: Write, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    (message_id,) = write([BAD])
    places = [f"--postgres={dsn}", f"--keyset={keyset_uri}"]

    exit_code = main(["rejects", "show", message_id, *places, "--reason=ticket 4711"])

    assert exit_code == 0
    assert BAD in capsys.readouterr().out
    with database.cursor() as cursor:
        cursor.execute("SELECT action, column_name, row_count, reason FROM pii_access_log")
        assert cursor.fetchall() == [("rejects show", "body", 1, "ticket 4711")]


def requeue(dsn: str, keyset_uri: str, address: QueueAddress, *options: str) -> int:
    places = [f"--postgres={dsn}", f"--keyset={keyset_uri}", f"--queue_endpoint={address.endpoint}"]
    return main(["rejects", "requeue", *places, "--reason=ticket 4711", *options])


def log_entries(database: Connection) -> list[tuple[object, ...]]:
    return rows_of(
        database, "SELECT action, stream, column_name, row_count, reason, condition FROM pii_access_log ORDER BY id"
    )


def test_the_list_can_be_of_one_stream_and_for_programs(
    dsn: str, write: Write, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    first, _ = write([BAD, login(1)])
    second = "6f9619ff-8b86-4011-b42d-000000000002"
    run(
        database,
        "INSERT INTO rejected_messages (message_id, stream, reason, detail, sent_at, receive_count, key_id, body)"
        " VALUES (%s, 'no_stream', 'no_stream', 'no stream takes it', now(), 1, 1, '')",
        [second],
    )
    listing = ["rejects", "list", f"--postgres={dsn}"]

    main([*listing, "--stream=user_logins", "--json"])
    as_json = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    main([*listing, "--stream=no_stream", "--csv"])
    as_csv = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))

    assert [(each["message_id"], each["reason"], each["requeued_at"]) for each in as_json] == [
        (first, "missing_field", None)
    ]
    assert [(each["message_id"], each["stream"]) for each in as_csv] == [(second, "no_stream")]


def test_a_message_is_sent_back_once_as_it_was_and_that_is_on_record(
    dsn: str,
    keyset_uri: str,
    write: Write,
    database: Connection,
    queue: SqsQueue,
    queue_address: QueueAddress,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (message_id,) = write([BAD])
    options = [message_id, f"--queue={queue_address.queue}"]

    exit_codes = [requeue(dsn, keyset_uri, queue_address, *options) for _ in range(2)]

    assert exit_codes == [0, 1]
    assert f"{message_id}: is not a rejected message, or was sent back before" in capsys.readouterr().out
    (message,) = queue.receive(10, 0, 30)
    assert message.body == BAD
    assert rows_of(database, "SELECT requeued_at IS NOT NULL, requeued_message_id::text FROM rejected_messages") == [
        (True, message.message_id)
    ]
    assert log_entries(database) == [
        ("rejects requeue", "user_logins", "body", 1, "ticket 4711", f"to queue {queue.url}")
    ]


def test_messages_go_back_to_the_queues_they_came_from(
    dsn: str, keyset_uri: str, write: Write, database: Connection, sqs: EmbeddedSqs
) -> None:
    message_ids = write([BAD, "SECRET"])
    queues = [QueueAddress(sqs.create_queue(f"test-{uuid.uuid4().hex}"), sqs.endpoint) for _ in message_ids]
    for message_id, address in zip(message_ids, queues, strict=True):
        run(
            database,
            "UPDATE rejected_messages SET queue = %s WHERE message_id = %s",
            [address.queue, message_id],
        )

    exit_code = requeue(dsn, keyset_uri, queues[0], "--all")

    assert exit_code == 0
    assert [[message.body for message in SqsQueue.open(queue).receive(10, 0, 30)] for queue in queues] == [
        [BAD],
        ["SECRET"],
    ]
    assert {entry[5] for entry in log_entries(database)} == {f"to queue {queue.queue}" for queue in queues}


def test_a_message_of_an_unknown_queue_is_not_sent_anywhere(
    dsn: str,
    keyset_uri: str,
    write: Write,
    database: Connection,
    queue_address: QueueAddress,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (message_id,) = write([BAD])

    exit_code = requeue(dsn, keyset_uri, queue_address, "--all")

    assert exit_code == 2
    assert f"queue: missing; nothing says which queue message {message_id} came from" in capsys.readouterr().err
    assert log_entries(database) == []


def test_a_body_that_sqs_refuses_keeps_no_other_back(
    dsn: str,
    keyset_uri: str,
    write: Write,
    database: Connection,
    queue: SqsQueue,
    queue_address: QueueAddress,
    capsys: pytest.CaptureFixture[str],
) -> None:
    refused, too_long, *sent = write(["", "x" * 1_100_000, BAD, "SECRET"])

    exit_code = requeue(dsn, keyset_uri, queue_address, "--all", f"--queue={queue_address.queue}")

    shown = capsys.readouterr().out
    assert exit_code == 1
    assert "Sent back 2 of 4 messages." in shown
    assert f"{refused}: queue {queue_address.queue}: SQS answered" in shown
    assert f"{too_long}: queue {queue_address.queue}: SQS answered" in shown
    assert sorted(message.body for message in queue.receive(10, 0, 30)) == ["SECRET", BAD]
    marked = rows_of(database, "SELECT message_id::text FROM rejected_messages WHERE requeued_at IS NOT NULL")
    assert {message_id for (message_id,) in marked} == set(sent)


def test_what_could_not_be_sent_is_not_marked(
    dsn: str, keyset_uri: str, write: Write, database: Connection, queue_address: QueueAddress
) -> None:
    write([BAD])

    exit_code = requeue(dsn, keyset_uri, queue_address, "--all", f"--queue={queue_address.queue}-gone")

    assert exit_code == 2
    assert rows_of(database, "SELECT requeued_at FROM rejected_messages") == [(None,)]


def test_nothing_is_sent_back_that_the_log_does_not_take(
    dsn: str, keyset_uri: str, write: Write, database: Connection, queue: SqsQueue, queue_address: QueueAddress
) -> None:
    write([BAD])
    run(database, "DROP TABLE pii_access_log")

    exit_code = requeue(dsn, keyset_uri, queue_address, "--all", f"--queue={queue_address.queue}")

    assert exit_code == 2
    assert queue.receive(10, 0, 30) == []


@pytest.mark.parametrize("messages", [[], ["--all", "00000000-0000-4000-8000-000000000001"]])
def test_which_to_send_back_must_be_said(
    messages: list[str], dsn: str, keyset_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = requeue(dsn, keyset_uri, QueueAddress("q"), *messages)

    assert exit_code == 2
    assert "name the messages to send back, or say --all" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("command", "complaint"),
    [
        (
            ["requeue", "--all", "--keyset=file:k.json"],
            "reason: missing; give --reason; see: maskline rejects requeue --help",
        ),
        (["requeue", "--all", "--keyset=file:k.json", "--reason= "], "reason: missing; say why the values are needed"),
        (["purge", "--older_than=90d"], "reason: missing; say why the values are needed"),
        (["purge", "--older_than=90", "--dry_run"], "older_than is '90'; give a number with its unit: 90d, 36h or 4w"),
    ],
)
def test_a_reason_and_an_age_are_asked_for(
    dsn: str, capsys: pytest.CaptureFixture[str], command: list[str], complaint: str
) -> None:
    exit_code = main(["rejects", *command, f"--postgres={dsn}"])

    assert exit_code == 2
    assert complaint in capsys.readouterr().err


def test_old_ones_are_purged_after_a_rehearsal_and_that_is_on_record(
    dsn: str, write: Write, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    old, _ = write([BAD, "SECRET"])
    run(
        database,
        "UPDATE rejected_messages SET rejected_at = '2023-11-05 13:00Z' WHERE message_id = %s",
        [old],
    )
    purge = ["rejects", "purge", f"--postgres={dsn}", "--older_than=36h"]

    rehearsed = main([*purge, "--dry_run"]), capsys.readouterr().out
    still_there = value_of(database, "SELECT count(*) FROM rejected_messages")
    purged = main([*purge, "--reason=kept for 36 hours"]), capsys.readouterr().out

    assert rehearsed == (0, "1 rejected messages would go; never sent back: 1.\n")
    assert still_there == 2
    assert purged == (0, "1 rejected messages deleted; never sent back: 1.\n")
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 1
    ((action, stream, column, count, reason, condition),) = log_entries(database)
    assert (action, stream, column, count, reason) == ("rejects purge", "all streams", "body", 1, "kept for 36 hours")
    assert str(condition).startswith("rejected_at < '")
