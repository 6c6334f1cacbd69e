"""Odd messages among good ones: each becomes what it should, and none holds the others up."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.conftest import login
from tests.faults import sqs_faults
from tests.faults.bad_input import ACCEPTED, REJECTED_BY_POSTGRES, SHORT_TEXTS, UNDELIVERABLE, odd_bodies
from tests.faults.case import AT_FULL_SPEED, FaultCase
from tests.faults.conftest import on_elasticmq, quick_and_slow
from tests.faults.watching import ResourceWatch
from tests.maskline.postgres.records import connected, rows_of, value_of

MEBIBYTE = 1024 * 1024


def test_every_oddity_beside_a_good_message_becomes_what_it_should(case: FaultCase, runner_options: list[str]) -> None:
    refused = {name: body for name, (body, _) in REJECTED_BY_POSTGRES.items()}
    case.send(len(ACCEPTED) + len(REJECTED_BY_POSTGRES), *ACCEPTED.values(), *refused.values())

    job = case.start("--until_empty", *runner_options)

    case.ended_well(job)
    case.check()
    assert _reasons(case, list(refused)) == {name: str(reason) for name, (_, reason) in REJECTED_BY_POSTGRES.items()}
    assert set(SHORT_TEXTS.values()) <= _locales(case)
    assert all(json.loads(line) for line in job.errors.splitlines()[1:] if line)


@pytest.mark.parametrize("name", quick_and_slow(["a lone surrogate"], UNDELIVERABLE))
def test_a_body_that_sqs_should_never_deliver_is_a_rejection(case: FaultCase, name: str) -> None:
    case.sqs.inject("ReceiveMessage", sqs_faults.with_the_body(UNDELIVERABLE[name]), times=3)
    case.send(30)

    job = case.start("--until_empty")

    case.ended_well(job)
    assert case.check().rejected > 0


@pytest.mark.slow
def test_an_answer_that_is_no_unicode_is_asked_for_again(case: FaultCase) -> None:
    case.send(40)
    case.sqs.inject("ReceiveMessage", sqs_faults.invalid_utf_8)

    job = case.start("--until_empty")

    case.ended_well(job)
    case.check()


@pytest.mark.slow
@pytest.mark.one_engine
@given(bodies=st.lists(odd_bodies, min_size=1, max_size=60))
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
def test_whatever_arrives_becomes_one_row_or_one_rejection(bodies: list[str], case: FaultCase) -> None:
    case.send(0, *bodies)

    case.run_here()

    case.check()


@pytest.mark.slow
@on_elasticmq
def test_with_every_second_message_odd_the_job_keeps_half_its_speed(case: FaultCase) -> None:
    odd = [
        body
        for body in (*ACCEPTED.values(), *(body for body, _ in REJECTED_BY_POSTGRES.values()))
        if len(body) < 10_000
    ]
    good = [login(number) for number in range(6000)]
    mixed = [body for pair in zip(good[:3000], itertools.cycle(odd), strict=False) for body in pair]

    speed_of_good, speed_of_mixed = (_messages_per_second(case, bodies) for bodies in (good, mixed))

    case.check()
    assert speed_of_mixed > speed_of_good / 2


@pytest.mark.slow
def test_bodies_of_half_a_mebibyte_at_every_second_message_keep_memory_bounded(case: FaultCase) -> None:
    large = [ACCEPTED["an extra field of half a megabyte"], REJECTED_BY_POSTGRES["half a megabyte in one field"][0]]
    job = case.start(*AT_FULL_SPEED, "--micro_batch_seconds=5")
    case.send(200)
    case.await_accounted()

    with ResourceWatch(job.pid) as watch:
        before = watch.look().resident_bytes
        case.send(200, *large * 100)
        case.await_accounted()

    case.stop(job)
    case.check()
    assert watch.most_bytes - before < 320 * MEBIBYTE


def _messages_per_second(case: FaultCase, bodies: list[str]) -> float:
    case.sql("CREATE TABLE IF NOT EXISTS measured_until AS SELECT now() AS at", "UPDATE measured_until SET at = now()")
    case.send_quickly(bodies)
    case.ended_well(case.start("--until_empty", *AT_FULL_SPEED, through_proxies=False))
    with connected(case.dsn) as database:
        seconds = value_of(
            database,
            "SELECT extract(epoch FROM max(at) - min(at))::float FROM (SELECT processed_at AS at FROM user_logins"
            " UNION ALL SELECT rejected_at FROM rejected_messages) AS outcomes"
            " WHERE at > (SELECT at FROM measured_until)",
        )
    return len(bodies) / float(seconds)


def _reasons(case: FaultCase, names: list[str]) -> dict[str, str]:
    """Return why the last messages sent, which have names, were rejected."""
    with connected(case.dsn) as database:
        reasons = dict(rows_of(database, "SELECT message_id::text, reason FROM rejected_messages"))
    by_name = zip(names, case.sent[-len(names) :], strict=True)
    return {name: reasons[message_id] for name, message_id in by_name if message_id in reasons}


def _locales(case: FaultCase) -> set[str]:
    with connected(case.dsn) as database:
        return {locale for (locale,) in rows_of(database, "SELECT locale FROM user_logins")}
