"""SQS answers with an error, late, in part, with something else, or not at all."""

from __future__ import annotations

import pytest

from tests.faults import sqs_faults
from tests.faults.case import FaultCase
from tests.faults.conftest import on_both_brokers, quick_and_slow
from tests.faults.sqs_proxy import SqsRequest
from tests.runbook import heading_for

PASSING = {
    "500": sqs_faults.INTERNAL_ERROR,
    "503": sqs_faults.SERVICE_UNAVAILABLE,
    "throttled": sqs_faults.THROTTLED,
    "502 of a gateway": sqs_faults.gateway_page,
    "connection ended": sqs_faults.cut_before,
    "answer lost": sqs_faults.cut_after,
    "answer truncated": sqs_faults.truncated,
    "a page that is no answer": sqs_faults.not_sqs,
}
UNDONE = {"fails in part": sqs_faults.half_of_the_batch_fails, "a page that is no answer": sqs_faults.not_sqs}
FINAL = {
    "AccessDenied": (sqs_faults.ACCESS_DENIED, "SQS refuses these credentials (AccessDenied"),
    "ExpiredToken": (sqs_faults.EXPIRED_CREDENTIALS, "SQS refuses these credentials (ExpiredToken)"),
    "RequestExpired": (sqs_faults.CLOCK_TOO_FAR_OFF, "set this machine's clock"),
    "NonExistentQueue": (sqs_faults.NO_SUCH_QUEUE, "does not exist"),
}
FIVE_TRIES = 5
"""How often boto3 asks before an error is an error to the job."""


@on_both_brokers
def test_answers_lost_once_cost_no_message(case: FaultCase) -> None:
    case.send(120, "not JSON")
    case.sqs.inject("ReceiveMessage", sqs_faults.cut_after, times=2)
    case.sqs.inject("DeleteMessageBatch", sqs_faults.cut_after, times=2)

    job = case.start("--until_empty")

    case.ended_well(job)
    case.check()


@pytest.mark.slow
@on_both_brokers
@pytest.mark.parametrize("name", PASSING)
def test_what_lasts_longer_than_the_client_tries_costs_no_message(case: FaultCase, name: str) -> None:
    case.send(120, "not JSON")
    case.sqs.inject("ReceiveMessage", PASSING[name], times=2 * FIVE_TRIES)
    case.sqs.inject("DeleteMessageBatch", PASSING[name], times=2 * FIVE_TRIES)

    job = case.start("--until_empty")

    case.ended_well(job)
    case.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", quick_and_slow(["fails in part"], UNDONE))
def test_a_delete_that_was_not_done_is_tried_again_at_once(case: FaultCase, name: str) -> None:
    case.send(120)
    case.sqs.inject("DeleteMessageBatch", UNDONE[name], times=6)

    job = case.start("--until_empty", "--visibility_timeout_seconds=15")

    case.ended_well(job)
    assert case.check().redelivered == 0


@pytest.mark.parametrize("action", quick_and_slow(["ReceiveMessage"], ["ReceiveMessage", "DeleteMessageBatch"]))
@pytest.mark.parametrize("name", quick_and_slow(["AccessDenied"], FINAL))
def test_what_only_a_person_can_fix_stops_the_job_with_one_line(case: FaultCase, action: str, name: str) -> None:
    fault, says = FINAL[name]
    job = case.start()
    case.send(20)
    case.await_accounted()
    case.sqs.inject(action, fault, times=float("inf"))
    case.send(20)

    assert job.wait() == 2

    assert says in job.errors.splitlines()[-1]
    assert heading_for(2, job.errors) == "Exit code 2"
    assert "Traceback" not in job.errors
    case.sqs.heal()
    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.slow
def test_at_the_in_flight_limit_receiving_pauses_and_goes_on(case: FaultCase) -> None:
    job = case.start()
    case.sqs.inject("ReceiveMessage", sqs_faults.OVER_LIMIT, times=2)
    case.send(120, "not JSON")

    case.await_accounted()

    case.stop(job)
    assert case.sqs.faults["ReceiveMessage"] == 2
    assert "too many messages in flight (OverLimit)" in job.errors
    case.check()


@pytest.mark.slow
def test_empty_answers_of_a_queue_that_is_not_empty_do_not_end_the_job(case: FaultCase) -> None:
    case.send(120)
    case.sqs.inject("ReceiveMessage", sqs_faults.empty, times=6)

    job = case.start("--until_empty")

    case.ended_well(job)
    case.check()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a page that is no answer", "500"])
def test_counts_that_cannot_be_had_do_not_end_the_job(case: FaultCase, name: str) -> None:
    case.send(120)
    case.sqs.inject("GetQueueAttributes", SqsRequest.forward)  # the preflight's
    case.sqs.inject("GetQueueAttributes", PASSING[name], times=FIVE_TRIES)
    case.sqs.inject("ReceiveMessage", sqs_faults.empty, times=4)

    job = case.start("--until_empty")

    case.ended_well(job)
    assert "whether the queue is empty is not known" in job.errors
    case.check()


@pytest.mark.slow
def test_an_answer_that_never_comes_is_given_up_and_asked_for_again(case: FaultCase) -> None:
    case.send(120)
    case.sqs.inject("ReceiveMessage", sqs_faults.no_answer)

    job = case.start("--until_empty")
    case.ended_well(job)

    case.check()


@pytest.mark.slow
@on_both_brokers
def test_a_queue_deleted_under_the_job_stops_it_with_one_line(case: FaultCase) -> None:
    job = case.start()
    case.send(20)
    case.await_accounted()

    case.delete_queue()

    assert job.wait() == 2
    assert "does not exist" in job.errors.splitlines()[-1]
    assert heading_for(2, job.errors) == "Exit code 2"
    assert "Traceback" not in job.errors
    case.check()
