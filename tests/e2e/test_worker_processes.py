"""``run --processes``: signals, and processes that die."""

from __future__ import annotations

import signal

import psutil
import pytest

from maskline.sqs import SqsQueue
from tests.awaiting import await_until
from tests.e2e.conftest import Ledger, StartJob, login
from tests.e2e.job_process import JobProcess

SHORT = ("--visibility_timeout_seconds=5", "--micro_batch_size=10")


def workers_of(job: JobProcess) -> list[psutil.Process]:
    """Return the worker processes, once both are there."""
    process = psutil.Process(job.pid)
    await_until(lambda: len(process.children()) == 2, "two worker processes run")
    return list(process.children())


def streaming_job(start_job: StartJob, queue: SqsQueue, ledger: Ledger) -> tuple[JobProcess, list[str]]:
    sent = queue.send([login(number) for number in range(50)])
    job = start_job("--processes=2", *SHORT)
    await_until(lambda: len(ledger.rows()) == 50, "the first messages are written", 60)
    return job, sent


@pytest.mark.slow
def test_ctrl_c_ends_all_processes_in_an_orderly_way(start_job: StartJob, queue: SqsQueue, ledger: Ledger) -> None:
    job, sent = streaming_job(start_job, queue, ledger)
    workers = workers_of(job)

    for process in (*workers, psutil.Process(job.pid)):  # as a terminal does
        process.send_signal(signal.SIGINT)

    assert job.wait() == 0, job.errors
    assert "Summary" in job.output
    assert "Traceback" not in job.errors
    ledger.check(sent)


def test_processes_whose_job_fails_its_check_receive_nothing_and_end(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger
) -> None:
    queue.send([login(1)])

    job = start_job("--processes=2", "--keyset=env:NOT_SET_ANYWHERE", *SHORT)

    assert job.wait() == 2
    assert "NOT_SET_ANYWHERE is not set" in job.errors
    assert queue.depth().visible == 1
    assert ledger.rows() == []


@pytest.mark.slow
def test_a_killed_process_ends_the_run_and_loses_nothing(start_job: StartJob, queue: SqsQueue, ledger: Ledger) -> None:
    job, sent = streaming_job(start_job, queue, ledger)
    sent += queue.send([login(number) for number in range(50, 400)])
    victim, other = workers_of(job)

    victim.kill()

    assert job.wait() == 1
    assert "of the job ended with exit code -9; what it had not deleted is in the queue still" in job.errors
    assert "Traceback" not in job.errors
    assert not other.is_running()
    assert start_job("--processes=2", "--until_empty", *SHORT).wait() == 0
    ledger.check(sent)


@pytest.mark.slow
def test_the_workers_end_when_the_process_that_watches_them_was_killed(
    start_job: StartJob, queue: SqsQueue, ledger: Ledger
) -> None:
    job, sent = streaming_job(start_job, queue, ledger)
    sent += queue.send([login(number) for number in range(50, 400)])
    workers = workers_of(job)

    job.kill()

    await_until(lambda: not any(worker.is_running() for worker in workers), "the workers have ended")
    assert start_job("--processes=2", "--until_empty", *SHORT).wait() == 0
    ledger.check(sent)
