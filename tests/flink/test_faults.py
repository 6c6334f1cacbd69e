"""Every part of a cluster fails once under way, and after each every message is one row or one rejection."""

from __future__ import annotations

import signal

import pytest

from maskline.keys import StoredKeyset
from tests.awaiting import await_until
from tests.e2e.conftest import WRONG_TYPE
from tests.flink.case import FlinkCase, kill_with_workers, vertices, workers_of
from tests.flink.submitted_job import takes_flink

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), takes_flink]

SLOWLY = ("--micro_batch_seconds=1", "--micro_batch_size=40", "--pollers=2", "--parallelism=2")
"""So slowly that a fault meets messages in hand."""


def test_everything_from_the_poll_to_the_deletes_is_one_operator(case: FlinkCase) -> None:
    case.send(300, WRONG_TYPE, "not JSON")

    case.submit()

    case.await_accounted()
    account = case.check()
    assert (account.written, account.rejected) == (300, 2)
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

    submission = case.start(
        *case.parts.options(case.parts.workers), "--keyset=env:KEYSET_OF_THE_STARTER", through_proxies=True
    )
    await_until(lambda: "KEYSET_OF_THE_STARTER" in case.failures(), "the workers look for it in vain", seconds=120)

    assert case.sqs.deliveries.total() == 0
    case.cancel(submission)
    case.submit(through_proxies=True)
    case.await_accounted()
    case.check()


def test_a_taskmanager_is_killed_and_another_started(case: FlinkCase) -> None:
    case.send(150, WRONG_TYPE)
    case.submit(*SLOWLY)
    case.await_in_hand()

    case.parts.cluster.taskmanagers[-1].send_signal(signal.SIGKILL)
    case.send(150, "not JSON")
    case.parts.cluster.start_taskmanager()

    case.await_accounted()
    case.check()


def test_an_sdk_worker_is_killed(case: FlinkCase) -> None:
    case.send(150, WRONG_TYPE)
    case.submit(*SLOWLY)
    case.await_in_hand()

    for worker in workers_of(case.parts.workers):
        worker.kill()
    case.send(150, "not JSON")

    case.await_accounted()
    case.check()


def test_the_pool_of_workers_is_killed_with_them_and_started_again(case: FlinkCase) -> None:
    case.send(150, WRONG_TYPE)
    case.submit(*SLOWLY)
    case.await_in_hand()

    kill_with_workers(case.parts.workers)
    case.send(150, "not JSON")
    case.parts.workers.__enter__()

    case.await_accounted()
    case.check()


def test_a_jobmanager_is_killed_and_the_job_it_has_forgotten_submitted_again(case: FlinkCase) -> None:
    case.send(150, WRONG_TYPE)
    first = case.submit(*SLOWLY)
    case.await_in_hand()

    case.parts.cluster.jobmanager.send_signal(signal.SIGKILL)
    case.send(150, "not JSON")
    case.parts.start_jobmanager()
    first.kill()
    case.submit(*SLOWLY)

    case.await_accounted()
    case.check()
