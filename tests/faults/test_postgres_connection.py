"""The connection to Postgres breaks: refused, reset, cut before COMMIT and after it."""

from __future__ import annotations

import re

import pytest

from tests.awaiting import await_until
from tests.faults.case import FaultCase
from tests.faults.postgres_wire import INSERT_COMMITTED, INSERT_SENT, REJECTIONS_SENT


def test_an_insert_cut_before_it_arrives_is_made_again(case: FaultCase, runner_options: list[str]) -> None:
    case.send(250, "not JSON")
    case.database_line.cut_at(INSERT_SENT, times=2)

    job = case.start("--until_empty", *runner_options)

    case.ended_well(job)
    assert case.database_line.cuts == 2
    case.check()


@pytest.mark.slow
def test_an_insert_reset_half_way_through_is_made_again(case: FaultCase) -> None:
    case.send(250)
    case.database_line.cut_at(INSERT_SENT, times=2, passed_share=0.5)

    job = case.start("--until_empty")

    case.ended_well(job)
    assert case.database_line.cuts == 2
    case.check()


def test_a_commit_whose_answer_is_lost_makes_no_second_row(case: FaultCase, runner_options: list[str]) -> None:
    case.send(250, "not JSON")
    case.database_line.cut_at(INSERT_COMMITTED, times=2)

    job = case.start("--until_empty", *runner_options)

    case.ended_well(job)
    assert case.database_line.cuts == 2
    assert re.search(r"duplicates\W+[1-9]", job.output)
    case.check()


def test_rejections_cut_before_they_arrive_are_kept_all_the_same(case: FaultCase) -> None:
    case.send(5, *["not JSON"] * 5)
    case.database_line.cut_at(REJECTIONS_SENT, times=2)

    job = case.start("--until_empty")

    case.ended_well(job)
    assert case.database_line.cuts == 2
    assert case.check().rejected == 5


@pytest.mark.slow
def test_a_database_that_refuses_for_a_while_delays_messages_and_loses_none(case: FaultCase) -> None:
    job = case.start("--until_empty", "--visibility_timeout_seconds=10")
    hold = case.database_line.hold_at(INSERT_SENT)
    case.send(250, "not JSON")
    hold.await_reached()

    case.database_line.refuse()
    await_until(lambda: case.sqs.requests["ChangeMessageVisibilityBatch"] > 60, "visibility was extended repeatedly")
    case.database_line.accept()
    case.fault_ends()

    case.ended_well(job)
    assert case.check().redelivered == 0


@pytest.mark.slow
def test_a_database_away_for_longer_than_allowed_ends_the_job_and_its_messages_come_back(case: FaultCase) -> None:
    hold = case.database_line.hold_at(INSERT_SENT)
    case.send(250, "not JSON")
    job = case.start("--db_retry_seconds=2")
    hold.await_reached()
    case.database_line.refuse()

    assert job.wait() == 75
    assert "Connection refused" in job.errors.splitlines()[-1]
    assert "Traceback" not in job.errors
    case.database_line.accept()
    case.fault_ends()

    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.slow
def test_a_line_that_trickles_delays_messages_and_loses_none(case: FaultCase) -> None:
    case.database_line.most_bytes_at_once = 16
    case.database_line.delay_seconds = 0.001
    case.send(250, "not JSON")

    job = case.start("--until_empty")

    case.ended_well(job)
    case.check()


@pytest.mark.slow
def test_lines_to_both_servers_reset_again_and_again_cost_no_message(
    case: FaultCase, runner_options: list[str]
) -> None:
    case.send(1500, "not JSON")
    job = case.start("--until_empty", *runner_options)

    for enough in range(100, 1100, 100):
        case.await_outcomes(enough)
        case.database_line.cut(reset=True)
        case.queue_line.cut(reset=True)
    case.fault_ends()

    case.ended_well(job)
    case.check()
