"""What docs/reliability.md tells an operator to do works as it stands there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from maskline.postgres.connection import Connection
from maskline.sqs import QueueAddress, SqsQueue
from tests.documents import blocks
from tests.e2e.job_process import PROJECT
from tests.maskline.postgres.records import message_id, rows_of, run, value_of

MANUAL = re.sub(r"^ {3}", "", (PROJECT / "docs" / "reliability.md").read_text(), flags=re.MULTILINE)
LAST_PROCESSED, MISSING, RECOVER, LAST_SENT, DOUBLES = blocks(MANUAL, "sql")
(SETTLE,) = blocks((PROJECT / "docs" / "reliability.md").read_text(), "python")


def _enter(database: Connection, *messages: str) -> None:
    with database.cursor() as cursor:
        for table in ("user_logins", "maskline_outcomes"):
            cursor.executemany(
                f"INSERT INTO {table} (message_id, sent_at) VALUES (%s, now())", [(message,) for message in messages]
            )


def _settle(queue: SqsQueue, address: QueueAddress, dsn: str, script: Path, *options: str) -> str:
    script.write_text(SETTLE)
    ended = subprocess.run(
        [sys.executable, str(script), queue.url, dsn, *options],
        env={**os.environ, "AWS_ENDPOINT_URL_SQS": str(address.endpoint), "AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return ended.stdout


def test_dead_lettered_messages_with_an_outcome_are_found_by_their_id_and_the_others_stay(
    queue: SqsQueue, queue_address: QueueAddress, database: Connection, dsn: str, tmp_path: Path
) -> None:
    written, unwritten = queue.send(["written, and its deletes were refused", "never written"])
    _enter(database, written)

    listed = _settle(queue, queue_address, dsn, tmp_path / "settle.py")
    assert queue.depth().total == 2
    deleted = _settle(queue, queue_address, dsn, tmp_path / "settle.py", "--delete")

    assert listed.split() == deleted.split() == [written]
    assert [message.message_id for message in queue.receive(10, 0, 0)] == [unwritten]


def test_outcomes_that_the_promoted_server_lacks_are_listed(database: Connection) -> None:
    _enter(database, message_id(1))
    create, select = MISSING.split("SELECT", 1)
    run(database, create)
    run(database, "INSERT INTO acknowledged VALUES (%s, now()), (%s, now())", [message_id(1), message_id(2)])

    assert [found for found, _ in rows_of(database, f"SELECT{select}")] == [message_id(2)]
    assert value_of(database, LAST_PROCESSED) is not None


def test_rows_that_a_restore_lost_come_back_once_with_their_outcomes(database: Connection) -> None:
    _enter(database, message_id(1))
    run(database, "CREATE TABLE recovered (LIKE user_logins INCLUDING DEFAULTS)")
    run(
        database,
        "INSERT INTO recovered (message_id, sent_at) VALUES (%s, now()), (%s, now())",
        [message_id(1), message_id(2)],
    )

    run(database, RECOVER)
    run(database, RECOVER)

    both = [(message_id(1),), (message_id(2),)]
    assert rows_of(database, "SELECT message_id::text FROM user_logins ORDER BY 1") == both
    assert rows_of(database, "SELECT message_id::text FROM maskline_outcomes ORDER BY 1") == both
    assert value_of(database, LAST_SENT) is not None


def test_doubles_outside_what_the_ledger_vouches_for_are_found(database: Connection) -> None:
    for number, age in ((1, "20 days"), (1, "20 days"), (2, "20 days"), (3, "1 hour")):
        run(
            database,
            "INSERT INTO user_logins (message_id, sent_at) VALUES (%s, now() - %s::interval)",
            [message_id(number), age],
        )

    assert [(found, count) for found, count, _ in rows_of(database, DOUBLES)] == [(message_id(1), 2)]
