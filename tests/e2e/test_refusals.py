"""What a job that cannot start says: all problems at once, exit code 2, and no message taken."""

from __future__ import annotations

import json
import uuid

from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue
from tests.awaiting import await_until
from tests.aws_emulation import EmulatedAws
from tests.e2e.conftest import StartJob, login
from tests.e2e.job_process import JobProcess


def test_on_an_unmigrated_table_no_message_is_taken(
    queue: SqsQueue, queue_address: QueueAddress, unmigrated_dsn: str, keyset_uri: str
) -> None:
    queue.send([login(1)])

    job = JobProcess(
        [
            "run",
            f"--postgres={unmigrated_dsn}",
            f"--queue={queue.url}",
            f"--queue_endpoint={queue_address.endpoint}",
            f"--keyset={keyset_uri}",
        ]
    )

    assert job.wait() == 2
    assert "python -m pipeline migrate --postgres" in job.errors
    assert "Traceback" not in job.errors
    (message,) = queue.receive(10, 0, 0)
    assert message.receive_count == 1


def test_all_problems_are_reported_at_once(unmigrated_dsn: str, queue_address: QueueAddress) -> None:
    job = JobProcess(
        [
            "check",
            f"--postgres={unmigrated_dsn}",
            f"--queue={queue_address.queue}-of-nobody",
            f"--queue_endpoint={queue_address.endpoint}",
            "--keyset=file:/there/is/none.json",
        ]
    )

    assert job.wait() == 2
    problems = [line for line in job.output.splitlines() if line.startswith("PROBLEM")]
    assert [line.split()[1] for line in problems] == ["keyset:", "queue:", "postgres:"]


def test_check_takes_no_message(start_job: StartJob, queue: SqsQueue) -> None:
    queue.send([login(1)])

    check = start_job(command="check")

    assert check.wait() == 0, check.output
    (message,) = queue.receive(10, 0, 0)
    assert message.receive_count == 1


def test_a_password_in_the_dsn_is_refused_and_not_repeated(start_job: StartJob) -> None:
    job = start_job("--postgres=postgresql://user:hunter2@localhost/db")

    assert job.wait() == 2
    assert "PGPASSWORD" in job.errors
    assert "hunter2" not in job.errors + job.output


def test_a_mistyped_option_is_refused(start_job: StartJob) -> None:
    job = start_job("--until_emtpy")

    assert job.wait() == 2
    assert "--until_emtpy" in job.errors


def test_a_table_dropped_under_the_running_job_stops_it_with_one_line(
    start_job: StartJob, queue: SqsQueue, dsn: str
) -> None:
    from tests.conftest import run_sql

    queue.send([login(1)])
    job = start_job("--micro_batch_seconds=0")
    await_until(lambda: queue.depth().total == 0, "the job has written a row")
    run_sql(dsn, "ALTER TABLE user_logins RENAME TO elsewhere")
    queue.send([login(2)])

    assert job.wait() == 2
    assert "user_logins" in job.errors.splitlines()[-1]
    assert "Traceback" not in job.errors
    assert queue.depth().total == 1


def test_check_tries_to_delete_and_to_extend_before_a_message_is_taken(
    dsn: str, keyset_uri: str, aws: EmulatedAws
) -> None:
    queue_url = aws.create_queue(f"guarded-{uuid.uuid4().hex}")
    may_read = aws.credentials_for("sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage")
    options = [f"--postgres={dsn}", f"--queue={queue_url}", f"--keyset={keyset_uri}"]
    with aws.enforcing_permissions():
        check = JobProcess(["check", *options], aws.environment | may_read)

        assert check.wait() == 2
    (problem,) = [line for line in check.output.splitlines() if line.startswith("PROBLEM")]
    assert "SQS refuses these credentials" in problem
    assert "sqs:DeleteMessage, sqs:ChangeMessageVisibility" in problem


def test_check_names_the_dead_letter_queue(start_job: StartJob, sqs: EmbeddedSqs) -> None:
    name = uuid.uuid4().hex
    sqs.create_queue(f"dead-{name}")
    policy = {"deadLetterTargetArn": f"arn:aws:sqs:us-east-1:000000000000:dead-{name}", "maxReceiveCount": 5}
    queue_url = sqs.create_queue(f"live-{name}", {"RedrivePolicy": json.dumps(policy)})

    check = start_job(f"--queue={queue_url}", command="check")

    assert check.wait() == 0, check.output
    assert f"given up to dead-{name} after 5 receives" in check.output
