"""``run``: from the queue to the table, on both engines of DirectRunner."""

from __future__ import annotations

import signal

import pytest

from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import Connection, open_connection
from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.e2e.conftest import WRONG_TYPE, Ledger, RunHere, StartJob, login
from tests.e2e.job_process import MODULE


def test_every_message_ends_as_one_row_or_one_rejection_and_the_queue_is_empty(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, runner_options: list[str]
) -> None:
    sent = queue.send([*(login(number) for number in range(230)), WRONG_TYPE, "not JSON", login(1)])

    job = start_job("--until_empty", *runner_options, program=MODULE)

    assert job.wait() == 0, job.errors
    ledger.check(sent)
    assert len(ledger.rejections()) == 2


def test_the_summary_counts_what_happened(start_job: StartJob, queue: SqsQueue) -> None:
    queue.send([login(1), login(2), WRONG_TYPE, "not JSON"])

    job = start_job("--until_empty")
    job.wait()

    counts = dict(line.strip("│").split("│") for line in job.output.replace(" ", "").splitlines() if "│" in line)
    assert {name: counts[name] for name in ("received", "written", "duplicates", "rejected", "deleted")} == {
        "received": "4",
        "written": "2",
        "duplicates": "0",
        "rejected": "2",
        "deleted": "4",
    }
    assert (counts["not_json"], counts["missing_field"]) == ("1", "1")


def test_tokens_are_deterministic_and_recoverable(
    run_here: RunHere, queue: SqsQueue, database: Connection, keyset: Keyset
) -> None:
    queue.send([login(1, ip="203.0.113.7"), login(2, ip="203.0.113.7"), login(3, ip=None), login(4, ip="")])

    run_here()

    with database.cursor() as cursor:
        cursor.execute("SELECT masked_ip FROM user_logins ORDER BY user_id")
        first, second, null, empty = (token for (token,) in cursor)
    assert first == second
    assert null is None
    unmask = Masker(keyset).unmask
    assert [unmask(token, "user_logins.masked_ip") for token in (first, empty)] == ["203.0.113.7", ""]


def test_sigterm_ends_a_streaming_job_in_an_orderly_way(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, runner_options: list[str]
) -> None:
    sent = queue.send([login(number) for number in range(50)])
    job = start_job(*runner_options)
    await_until(lambda: len(ledger.rows()) == 50, "the first messages are written")
    sent += queue.send([login(number) for number in range(50, 60)])
    await_until(lambda: len(ledger.rows()) == 60, "later messages are written, so the job streams")

    job.send_signal(signal.SIGTERM)

    assert job.wait() == 0, job.errors
    assert "Summary" in job.output
    ledger.check(sent)


def test_a_message_delivered_again_makes_no_second_row(
    run_here: RunHere, queue: SqsQueue, ledger: Ledger, database: Connection
) -> None:
    (message_id,) = queue.send([login(1)])
    with database.cursor() as cursor:
        # What a job killed between commit and delete leaves: the row is there, and the message in the queue.
        cursor.execute("INSERT INTO user_logins (user_id, message_id) VALUES ('written before', %s)", [message_id])
        cursor.execute("INSERT INTO maskline_outcomes (message_id, sent_at) VALUES (%s, now())", [message_id])

    context = run_here()

    ledger.check([message_id])
    assert context.tally.counts()["duplicates"] == 1
    with database.cursor() as cursor:
        cursor.execute("SELECT user_id FROM user_logins")
        assert cursor.fetchall() == [("written before",)]


@pytest.mark.slow
def test_killed_at_any_moment_and_started_again_it_writes_every_message_exactly_once(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger
) -> None:
    sent = queue.send([login(number) for number in range(1200)])
    for rows in (1, 300, 700):
        job = start_job("--micro_batch_size=100", "--visibility_timeout_seconds=3")
        await_until(lambda rows=rows: len(ledger.rows()) >= rows, f"{rows} rows are written")  # type: ignore[misc]
        job.send_signal(signal.SIGKILL)
        job.wait()

    job = start_job("--until_empty", "--visibility_timeout_seconds=3")

    assert job.wait() == 0, job.errors
    ledger.check(sent)


@pytest.mark.slow
def test_messages_in_flight_stay_invisible_while_the_database_is_away(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, dsn: str
) -> None:
    sent = queue.send([*(login(number) for number in range(15)), *["not JSON"] * 5])
    with open_connection(dsn) as blocker, blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE user_logins IN ACCESS EXCLUSIVE MODE")
        job = start_job("--until_empty", "--visibility_timeout_seconds=5")
        # The rejections have a connection of their own, and may be deleted already.
        await_until(lambda: queue.depth().visible == 0, "the job has received them")

        came_back = queue.receive(10, 12, 0)

    assert came_back == []
    assert job.wait() == 0, job.errors
    ledger.check(sent)
