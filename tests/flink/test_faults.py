"""Every part of a cluster fails once under way, and after each every message is one row or one rejection."""

from __future__ import annotations

import signal

import pytest

from maskline.keys import StoredKeyset
from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.faults.cycle import HOLD_AT
from tests.faults.points import Hold
from tests.flink.case import FlinkCase, kill_with_workers, vertices, workers_of
from tests.flink.submitted_job import takes_flink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), takes_flink]

SLOWLY = ("--micro_batch_seconds=1", "--micro_batch_size=40", "--pollers=2", "--parallelism=2")
"""So slowly that others are in flight, too, when a fault meets a micro-batch."""

REJECTED = (login(user_id=None), "not JSON, but from 198.51.100.7")
"""Bodies that become rejections, and that the case knows by the personal data in them."""


def test_everything_from_the_poll_to_the_deletes_is_one_operator(case: FlinkCase) -> None:
    case.sql("ALTER TABLE user_logins ADD CHECK (locale <> 'refused')")
    case.send(300, *REJECTED, login(locale="refused"))

    case.submit()

    case.await_accounted()
    account = case.check()
    assert (account.written, account.rejected) == (300, 3)
    (job_id,) = case.running()
    running = [
        name for name, state in vertices(case.parts.cluster.rest(f"/jobs/{job_id}")).items() if state == "RUNNING"
    ]
    assert len(running) == 1, running
    assert all(step in running[0] for step in ("Receive from SQS", "Mask", "Write rows", "Delete rows"))


def test_no_message_is_received_where_the_workers_cannot_read_the_keyset(
    case: FlinkCase, stored_keyset: StoredKeyset, monkeypatch: pytest.MonkeyPatch
) -> None:
    case.send(5)
    monkeypatch.setenv("KEYSET_OF_THE_STARTER", stored_keyset.content.decode())

    submission = case.start(*case.parts.options(case.parts.workers), "--keyset=env:KEYSET_OF_THE_STARTER")
    await_until(lambda: "KEYSET_OF_THE_STARTER" in case.failures(), "the workers look for it in vain", seconds=120)

    assert case.sqs.deliveries.total() == 0
    case.cancel(submission)
    case.submit()
    case.await_accounted()
    case.check()


def test_an_sdk_worker_is_killed_at_each_point_of_its_cycle(case: FlinkCase) -> None:
    redelivered = 0
    case.submit(*SLOWLY)

    for point in ("before COMMIT", "before COMMIT of rejections", "after COMMIT", "between deletes"):
        hold = HOLD_AT[point](case)
        case.send(60, *REJECTED)
        hold.await_reached()
        for worker in workers_of(case.parts.workers):
            worker.kill()
        _go_on(case, hold)

        case.await_accounted()
        case.check()
        assert case.sqs.redelivered > redelivered, point
        redelivered = case.sqs.redelivered


def test_the_pool_of_workers_is_killed_with_them_and_started_again(case: FlinkCase) -> None:
    case.send(60, *REJECTED)
    hold = HOLD_AT["before COMMIT"](case)
    case.submit(*SLOWLY)
    hold.await_reached()
    case.await_extended_lease()

    kill_with_workers(case.parts.workers)
    _go_on(case, hold)
    case.parts.start_pool()

    case.await_accounted()
    assert case.check().redelivered


def test_a_taskmanager_is_killed_and_another_started(case: FlinkCase) -> None:
    case.send(60, *REJECTED)
    hold = HOLD_AT["before COMMIT"](case)
    case.submit(*SLOWLY)
    hold.await_reached()

    case.parts.cluster.taskmanagers[-1].send_signal(signal.SIGKILL)
    case.parts.cluster.start_taskmanager()
    _go_on(case, hold)

    case.await_accounted()
    case.check()


def test_a_jobmanager_is_killed_and_the_job_it_has_forgotten_submitted_again(case: FlinkCase) -> None:
    case.send(60, *REJECTED)
    hold = HOLD_AT["after COMMIT"](case)
    first = case.submit(*SLOWLY)
    hold.await_reached()

    case.parts.cluster.jobmanager.send_signal(signal.SIGKILL)
    case.parts.start_jobmanager()
    first.kill()
    _go_on(case, hold)
    case.submit(*SLOWLY)

    case.await_accounted()
    case.check()


def _go_on(case: FlinkCase, hold: Hold) -> None:
    """End the conversation that was held, let all others go on, and send more messages."""
    hold.drop()
    case.sqs.heal()
    case.send(20, *REJECTED)
