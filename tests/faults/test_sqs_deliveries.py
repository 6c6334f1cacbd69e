"""SQS delivers a message twice, late, or again to somebody else."""

from __future__ import annotations

import re

import pytest

from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.faults import sqs_faults
from tests.faults.case import FaultCase
from tests.faults.conftest import on_both_brokers, on_elasticmq
from tests.faults.postgres_wire import INSERT_SENT


@pytest.mark.slow
def test_a_message_twice_in_a_batch_and_again_an_hour_later_makes_one_row(case: FaultCase) -> None:
    replay = sqs_faults.Replay()
    case.sqs.inject("ReceiveMessage", replay.remember_and_repeat, times=float("inf"))
    case.send(30, "not JSON")
    job = case.start("--visibility_timeout_seconds=15")
    case.await_accounted()

    case.sqs.heal()
    case.sqs.inject("ReceiveMessage", replay.deliver, times=float("inf"))
    await_until(lambda: replay.is_over, "they are delivered again")
    case.stop(job)

    case.check()
    assert case.sqs.redelivered == 31 + 31


@pytest.mark.slow
@on_both_brokers
def test_messages_that_come_back_while_the_database_is_down_make_one_row(case: FaultCase) -> None:
    case.sqs.inject("ChangeMessageVisibilityBatch", sqs_faults.INTERNAL_ERROR, times=float("inf"))
    hold = case.database_line.hold_at(INSERT_SENT)
    case.send(60)
    held_up = case.start("--until_empty")
    hold.await_reached()
    taken = case.queue.depth().in_flight

    await_until(lambda: case.queue.depth().visible >= taken, "their visibility time-out is over")
    case.ended_well(case.start("--until_empty", through_proxies=False))
    hold.release()

    case.ended_well(held_up)
    assert re.search(r"duplicates\W+[1-9]", held_up.output)
    case.check()


@pytest.mark.slow
def test_messages_whose_deletes_all_fail_come_back_and_are_deleted_then(case: FaultCase) -> None:
    case.sqs.inject("DeleteMessageBatch", sqs_faults.cut_before, times=float("inf"))
    case.send(30)
    job = case.start()
    await_until(lambda: case.sqs.redelivered > 0, "they come back", seconds=170)

    case.sqs.heal()

    case.await_accounted()
    case.stop(job)
    assert "not deleted, they will come back" in job.errors
    case.check()


@pytest.mark.slow
@pytest.mark.timeout(900)
@on_elasticmq
def test_a_backlog_of_100_000_is_worked_off(case: FaultCase) -> None:
    case.send_quickly([login(number) for number in range(100_000)])

    job = case.start(
        "--until_empty", "--micro_batch_size=500", "--visibility_timeout_seconds=60", through_proxies=False
    )

    case.ended_well(job, seconds=170)
    case.check()
