"""The job is asked to stop: under load, with the database away, and beside another job."""

from __future__ import annotations

import signal
import time

import pytest

from tests.awaiting import await_until
from tests.faults.case import FaultCase
from tests.faults.postgres_wire import INSERT_SENT

MAX_STOP_SECONDS = 10


def test_asked_to_stop_under_load_it_ends_within_ten_seconds_and_leaves_nothing_in_flight(
    case: FaultCase, runner_options: list[str]
) -> None:
    case.send(1500)
    job = case.start(*runner_options)
    case.await_outcomes(100)
    hold = case.database_line.hold_at(INSERT_SENT)
    hold.await_reached()

    job.send_signal(signal.SIGTERM)
    asked_at = time.monotonic()
    hold.release()

    case.ended_well(job)
    assert time.monotonic() - asked_at < MAX_STOP_SECONDS
    assert job.output.startswith("Summary")
    assert case.queue.depth().in_flight == 0, job.errors
    case.ended_well(case.start("--until_empty"))
    redelivered = case.check().redelivered
    assert redelivered is not None
    assert redelivered <= 200, "no more than what was fetched ahead, two micro-batches, was given back"


@pytest.mark.slow
def test_asked_to_stop_while_the_database_is_away_it_gives_its_messages_back_at_once(
    case: FaultCase, runner_options: list[str]
) -> None:
    hold = case.database_line.hold_at(INSERT_SENT)
    case.send(40, *["not JSON"] * 10)
    job = case.start("--visibility_timeout_seconds=600", *runner_options)
    hold.await_reached()
    await_until(lambda: case.queue.depth().in_flight > 0, "the job has messages in flight")
    case.database_line.refuse()

    job.send_signal(signal.SIGTERM)
    stopped_at = time.monotonic()

    assert job.wait() == 75
    assert time.monotonic() - stopped_at < MAX_STOP_SECONDS
    assert case.queue.depth().in_flight == 0, job.errors
    case.database_line.accept()
    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.slow
def test_asked_to_stop_while_it_gathers_behind_a_commit_that_fails_it_gives_both_back(
    case: FaultCase, runner_options: list[str]
) -> None:
    job = case.start("--visibility_timeout_seconds=600", "--micro_batch_seconds=10", *runner_options)
    case.send(100)
    case.await_accounted()
    case.database_line.refuse()
    receive = case.sqs.hold_before("ReceiveMessage")
    receive.await_reached()
    case.send(110)
    receive.release()
    await_until(lambda: "writing failed, trying again" in job.errors_so_far(), "the commit has failed once")
    await_until(lambda: case.queue.depth().in_flight == 110, "the next micro-batch is being gathered")

    job.send_signal(signal.SIGTERM)

    assert job.wait() == 75
    assert case.queue.depth().in_flight == 0, job.errors
    case.database_line.accept()
    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.slow
def test_two_jobs_on_one_queue_share_its_messages(case: FaultCase) -> None:
    case.send(1500, "not JSON")

    jobs = [case.start("--until_empty") for _ in range(2)]

    for job in jobs:
        case.ended_well(job)
    case.check()
