"""Half a million messages through one process: what it uses does not grow."""

from __future__ import annotations

import threading

import pytest

from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.faults.case import AT_FULL_SPEED, FaultCase
from tests.faults.conftest import on_elasticmq
from tests.faults.watching import ResourceWatch, Use

PORTION = 5_000
MOST_AHEAD = 20_000


@on_elasticmq
@pytest.mark.parametrize(
    ("messages", "settled_after"),
    [
        pytest.param(40_000, 10_000, marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
        pytest.param(500_000, 50_000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)]),
    ],
)
def test_what_the_process_uses_does_not_grow(case: FaultCase, messages: int, settled_after: int) -> None:
    job = case.start(*AT_FULL_SPEED, through_proxies=False)
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
    assert at_the_end.threads <= settled.threads
    assert at_the_end.files <= settled.files


def _send(case: FaultCase, messages: int) -> None:
    """Send as fast as the job takes them, never far ahead."""
    for first in range(0, messages, PORTION):
        await_until(lambda: case.queue.depth().visible < MOST_AHEAD, "the job catches up", seconds=600)
        case.send_quickly([login(number) for number in range(first, first + PORTION)])


def _use(watch: ResourceWatch) -> Use:
    """Return the most of each over the last two seconds, for a job breathes."""
    uses = watch.uses[-20:]
    return Use(
        max(use.resident_bytes for use in uses), max(use.threads for use in uses), max(use.files for use in uses)
    )
