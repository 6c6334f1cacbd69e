"""How a job ends where its parts are not there, and what a supervisor and a log are told of it."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import Any

import pytest

from maskline import __version__
from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.e2e.conftest import Ledger, StartJob, login
from tests.e2e.job_process import JobProcess
from tests.faults.postgres_wire import dsn_through, postgres_proxy
from tests.runbook import heading_for

NOBODY = "--postgres=postgresql://postgres@127.0.0.1:{}/none"


def records(errors: str) -> list[dict[str, Any]]:
    """Return the log records of a job, every line of which has to be one."""
    return [json.loads(line) for line in errors.splitlines()]


def test_a_database_that_is_not_there_is_75_for_run_and_check_and_a_wrong_option_is_2(
    start_job: StartJob, nobodys_port: int
) -> None:
    nobody = NOBODY.format(nobodys_port)

    away = start_job(nobody, "--db_retry_seconds=0.5")
    checked = start_job(nobody, command="check")
    wrong = start_job("--micro_batch_size=0")

    assert [job.wait() for job in (away, checked, wrong)] == [75, 75, 2]


def test_the_last_line_of_a_failure_is_an_error_that_says_whose_it_is(
    start_job: StartJob, queue: SqsQueue, nobodys_port: int
) -> None:
    job = start_job(NOBODY.format(nobodys_port), "--db_retry_seconds=8")

    job.wait()

    *before, last = records(job.errors)
    assert {record["level"] for record in before} == {"WARNING"}
    assert (last["level"], last["exit_code"], last["version"]) == ("ERROR", 75, __version__)
    assert (last["stream"], last["process"]) == ("user_logins", job.pid)
    assert last["queue"] == queue.url.rpartition("/")[2]
    assert "Connection refused" in last["event"]
    assert heading_for(75, job.errors) == "Exit code 75"
    assert "trying again" in before[0]["event"]


def test_a_failure_before_the_job_is_known_is_an_error_record_too() -> None:
    job = JobProcess(["rnu"])

    assert job.wait() == 2
    (record,) = records(job.errors)
    assert (record["level"], record["event"].partition(";")[0]) == ("ERROR", "command 'rnu' is not known")


def test_a_job_that_starts_before_its_database_waits_for_it(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger, dsn: str
) -> None:
    sent = queue.send([login(1)])
    with postgres_proxy(dsn) as line:
        line.refuse()
        job = start_job("--until_empty", f"--postgres={dsn_through(line, dsn)}")
        await_until(lambda: "trying again" in job.printed(), "the job has found nobody")
        line.accept()

        assert job.wait() == 0, job.errors
    ledger.check(sent)


def test_a_job_that_is_stopped_while_it_waits_for_its_database_ends_at_once(
    start_job: StartJob, nobodys_port: int
) -> None:
    job = start_job(NOBODY.format(nobodys_port))
    await_until(lambda: "trying again" in job.printed(), "the job has found nobody")

    job.send_signal(signal.SIGTERM)

    assert job.wait() == 130
    last = records(job.errors)[-1]
    assert (last["level"], last["event"], last["exit_code"]) == ("ERROR", "interrupted", 130)


def test_a_command_that_is_stopped_while_it_waits_says_so_and_ends_with_130(start_job: StartJob) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job = start_job(NOBODY.format(silent.getsockname()[1]), command="check")
        connection, _ = silent.accept()

        with connection:
            job.send_signal(signal.SIGTERM)

            assert job.wait() == 130, job.errors
    last = records(job.errors)[-1]
    assert (last["level"], last["event"], last["exit_code"]) == ("ERROR", "interrupted", 130)


@pytest.mark.slow
def test_at_info_every_line_is_a_record_of_ours(start_job: StartJob, queue: SqsQueue) -> None:
    queue.send([login(1)])
    job = start_job("--until_empty", "--log_level=info")

    assert job.wait() == 0, job.errors

    found = records(job.errors)
    assert [record["event"] for record in found if not re.match("maskline", record["logger"])] == []
    assert "Running on DirectRunner" in found[0]["event"]
