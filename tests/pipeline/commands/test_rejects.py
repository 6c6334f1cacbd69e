"""``rejects``: looked after without showing what is in them, shown on record, and sent back once."""

from __future__ import annotations

import pytest

from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from maskline.sqs import QueueAddress, SqsQueue
from tests.e2e.conftest import login
from tests.pipeline.commands.conftest import Write

BAD = '{"user_id": "SECRET-PERSON", "ip": "203.0.113.7"}'


def test_the_list_shows_why_and_nothing_of_what(dsn: str, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    write([login(1), BAD, "SECRET"])

    exit_code = main(["rejects", "list", f"--postgres={dsn}"])

    shown = capsys.readouterr().out
    assert exit_code == 0
    assert "Not sent back: 2 (missing_field 1, not_json 1)" in shown
    assert "SECRET" not in shown
    assert "203.0.113.7" not in shown


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


def test_a_message_is_sent_back_once_as_it_was(
    dsn: str,
    keyset_uri: str,
    write: Write,
    database: Connection,
    queue: SqsQueue,
    queue_address: QueueAddress,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (message_id,) = write([BAD])
    command = [
        "rejects",
        "requeue",
        message_id,
        f"--postgres={dsn}",
        f"--keyset={keyset_uri}",
        f"--queue={queue_address.queue}",
        f"--queue_endpoint={queue_address.endpoint}",
    ]

    exit_codes = [main(command), main(command)]

    assert exit_codes == [0, 1]
    assert f"{message_id}: is not a rejected message of user_logins, or was sent back before" in capsys.readouterr().out
    (message,) = queue.receive(10, 0, 30)
    assert message.body == BAD
    with database.cursor() as cursor:
        cursor.execute("SELECT requeued_at IS NOT NULL, requeued_message_id::text FROM rejected_messages")
        assert cursor.fetchall() == [(True, message.message_id)]


def test_what_could_not_be_sent_is_not_marked(
    dsn: str, keyset_uri: str, write: Write, database: Connection, queue_address: QueueAddress
) -> None:
    write([BAD])

    exit_code = main(
        [
            "rejects",
            "requeue",
            "--all",
            f"--postgres={dsn}",
            f"--keyset={keyset_uri}",
            f"--queue={queue_address.queue}-gone",
            f"--queue_endpoint={queue_address.endpoint}",
        ]
    )

    assert exit_code == 2
    with database.cursor() as cursor:
        cursor.execute("SELECT requeued_at FROM rejected_messages")
        assert cursor.fetchall() == [(None,)]


@pytest.mark.parametrize("messages", [[], ["--all", "00000000-0000-4000-8000-000000000001"]])
def test_which_to_send_back_must_be_said(
    messages: list[str], dsn: str, keyset_uri: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = main(["rejects", "requeue", *messages, f"--postgres={dsn}", f"--keyset={keyset_uri}", "--queue=q"])

    assert exit_code == 2
    assert "name the messages to send back, or say --all" in capsys.readouterr().err
