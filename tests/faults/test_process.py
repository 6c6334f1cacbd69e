"""The process: killed at random, out of memory, with a wrong clock, over midnight, with a full disk."""

from __future__ import annotations

import contextlib
import random
import resource
import signal
from datetime import UTC, datetime

import psutil
import pytest

from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.faults import sqs_faults
from tests.faults.case import FaultCase
from tests.faults.conftest import on_elasticmq
from tests.maskline.postgres.records import connected, rows_of

WITH_A_SHIFTED_CLOCK = ("-m", "tests.faults.shifted_clock")
WRITTEN_AT_ANOTHER_TIME = """
SELECT message_id FROM user_logins
WHERE create_date <> (sent_at AT TIME ZONE 'UTC')::date OR processed_at NOT BETWEEN now() - interval '5 min' AND now()
"""
KILLS = 50
MEGABYTE = 1024 * 1024


@pytest.mark.slow
@pytest.mark.timeout(900)
@on_elasticmq
def test_fifty_kills_at_random_over_one_run_cost_no_message(case: FaultCase) -> None:
    chance = random.Random(2023)
    case.send_quickly([login(number) for number in range(20_000)])

    for kill in range(1, KILLS + 1):
        job = case.start(through_proxies=False)
        written = case.outcomes()
        enough = min(written + chance.randrange(1, 500), kill * 20_000 // KILLS)
        await_until(lambda enough=enough: case.outcomes() >= enough, "some more are written")  # type: ignore[misc]
        job.send_signal(signal.SIGKILL)
        job.wait()

    case.ended_well(case.start("--until_empty", through_proxies=False))
    case.check()


@pytest.mark.slow
def test_a_job_short_of_memory_that_is_killed_costs_no_message(case: FaultCase) -> None:
    job = case.start()
    case.send(1)
    case.await_accounted()
    size = psutil.Process(job.pid).memory_info().vms

    resource.prlimit(job.pid, resource.RLIMIT_AS, (size + 4 * MEGABYTE, resource.RLIM_INFINITY))
    case.send(0, *(login(number, extra="x" * 500_000) for number in range(30)))

    with contextlib.suppress(AssertionError):  # it may end, go on, or stall: a thread without memory cannot begin
        job.wait(20)
    job.kill()
    case.fault_ends()
    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.slow
@pytest.mark.one_engine  # Prism's own clock would stay right
@pytest.mark.parametrize("seconds", [pytest.param("3600", id="fast"), pytest.param("-3600", id="slow")])
def test_a_clock_an_hour_off_changes_nothing_that_is_written(case: FaultCase, seconds: str) -> None:
    case.send(120, "not JSON")

    job = case.start("--until_empty", program=(*WITH_A_SHIFTED_CLOCK, seconds))

    case.ended_well(job)
    case.check()
    with connected(case.dsn) as database:
        assert rows_of(database, WRITTEN_AT_ANOTHER_TIME) == []


@pytest.mark.slow
def test_a_message_delivered_on_both_sides_of_midnight_is_one_row_of_the_day_it_was_sent(case: FaultCase) -> None:
    before_midnight = datetime(2026, 1, 31, 23, 59, 59, 900_000, tzinfo=UTC)
    case.sqs.inject("ReceiveMessage", sqs_faults.sent_at(round(before_midnight.timestamp() * 1000)), times=float("inf"))
    case.sqs.inject("DeleteMessageBatch", sqs_faults.cut_before, times=1)
    case.send(20)

    job = case.start("--until_empty")

    case.ended_well(job)
    case.check()
    with connected(case.dsn) as database:
        assert rows_of(database, "SELECT DISTINCT create_date::text FROM user_logins") == [("2026-01-31",)]
