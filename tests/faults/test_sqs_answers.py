"""SQS answers wrongly, late or not at all."""

from __future__ import annotations

import pytest

from tests.awaiting import await_until
from tests.faults import sqs_faults
from tests.faults.case import FaultCase
from tests.faults.conftest import on_both_brokers
from tests.faults.sqs_proxy import SqsFault


@on_both_brokers
def test_lost_answers_of_receives_and_deletes_lose_no_message(case: FaultCase) -> None:
    case.send(120, "not JSON")
    case.sqs.inject("ReceiveMessage", sqs_faults.cut_after, times=3)
    case.sqs.inject("DeleteMessageBatch", sqs_faults.cut_after, times=3)

    job = case.start("--until_empty")

    case.ended_well(job)
    case.check()


def test_a_delete_batch_that_fails_in_part_is_tried_again(case: FaultCase) -> None:
    case.send(120)
    case.sqs.inject("DeleteMessageBatch", sqs_faults.half_of_the_batch_fails, times=6)

    job = case.start("--until_empty")

    case.ended_well(job)
    assert case.check().redelivered == 0


def test_a_message_twice_in_a_batch_and_again_later_makes_one_row(case: FaultCase) -> None:
    replay = sqs_faults.Replay()
    case.send(30, "not JSON")
    case.sqs.inject("ReceiveMessage", replay.remember, times=3)
    case.sqs.inject("ReceiveMessage", sqs_faults.twice_in_one_answer, times=3)
    job = case.start()
    case.await_accounted()

    case.sqs.heal()
    case.sqs.inject("ReceiveMessage", replay.deliver, times=4)
    await_until(lambda: replay.is_over, "they are delivered again")
    case.stop(job)

    case.check()
    assert case.sqs.redelivered > 30


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (sqs_faults.ACCESS_DENIED, "SQS refuses these credentials (AccessDenied"),
        (sqs_faults.EXPIRED_CREDENTIALS, "SQS refuses these credentials (ExpiredToken)"),
        (sqs_faults.NO_SUCH_QUEUE, "does not exist"),
    ],
    ids=["AccessDenied", "ExpiredToken", "NonExistentQueue"],
)
def test_what_only_a_person_can_mend_stops_the_job_with_one_line(case: FaultCase, fault: SqsFault, says: str) -> None:
    job = case.start()
    case.send(20)
    case.await_accounted()
    case.sqs.inject("ReceiveMessage", fault, times=float("inf"))

    assert job.wait() == 2

    assert says in job.errors.splitlines()[-1]
    assert "Traceback" not in job.errors
    case.check()
