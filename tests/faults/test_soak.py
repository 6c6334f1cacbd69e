"""Messages and micro-batches without end through one process: what it uses does not grow."""

from __future__ import annotations

import threading

import pytest

from maskline.sqs.address import CONNECTIONS
from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.e2e.job_process import JobProcess
from tests.faults.case import AT_FULL_SPEED, FaultCase
from tests.faults.conftest import on_elasticmq
from tests.faults.watching import ResourceWatch, Use

pytestmark = on_elasticmq

PORTION = 1_500
MAX_AHEAD = 20_000

OPENED_ONCE = 12
"""Threads, files and connections that are made when they are first needed, which may be late."""

QUEUE_CONNECTIONS = 2 * CONNECTIONS
"""How many connections to the queue a job has at most, one for each receive and for each deletion under way."""


@pytest.mark.slow
def test_many_small_micro_batches_leave_nothing_behind(case: FaultCase, runner_options: list[str]) -> None:
    job = case.start("--micro_batch_size=10", *runner_options)

    settled, at_the_end = _soak(case, job, messages=6_000, settled_after=1_500)

    assert at_the_end.files + at_the_end.sockets <= settled.files + settled.sockets + OPENED_ONCE


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_half_a_million_messages_leave_nothing_behind(case: FaultCase) -> None:
    job = case.start(*AT_FULL_SPEED, through_proxies=False)

    settled, at_the_end = _soak(case, job, messages=500_000, settled_after=50_000)

    assert at_the_end.files <= settled.files + OPENED_ONCE
    assert at_the_end.sockets <= QUEUE_CONNECTIONS + OPENED_ONCE


def _soak(case: FaultCase, job: JobProcess, messages: int, settled_after: int) -> tuple[Use, Use]:
    """Send messages while the job runs, and return what it used once it had settled, and at the end."""
    sender = threading.Thread(target=_send, args=(case, messages), name="soak-sender", daemon=True)
    sender.start()

    with ResourceWatch(job.pid) as watch:
        await_until(lambda: case.outcomes() >= settled_after, f"{settled_after} are written", seconds=600)
        settled = _use(watch)
        await_until(lambda: case.outcomes() >= messages, "all are written", seconds=3000)
        at_the_end = _use(watch)

    sender.join()
    case.await_accounted()
    case.stop(job)
    case.check()
    assert at_the_end.resident_bytes < 1.1 * settled.resident_bytes
    assert at_the_end.threads <= settled.threads + OPENED_ONCE
    return settled, at_the_end


def _send(case: FaultCase, messages: int) -> None:
    """Send as fast as the job takes them, never far ahead."""
    for first in range(0, messages, PORTION):
        await_until(lambda: case.queue.depth().visible < MAX_AHEAD, "the job catches up", seconds=600)
        case.send_quickly([login(number) for number in range(first, first + PORTION)])


def _use(watch: ResourceWatch) -> Use:
    """Return the most of each over the last two seconds, for a job breathes."""
    uses = watch.uses[-20:]
    return Use(
        max(use.resident_bytes for use in uses),
        max(use.threads for use in uses),
        max(use.files for use in uses),
        max(use.sockets for use in uses),
    )
