"""The process is killed at each point of its cycle."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from tests.faults.case import FaultCase
from tests.faults.conftest import quick_and_slow
from tests.faults.points import Hold
from tests.faults.postgres_wire import INSERT_COMMITTED, INSERT_SENT
from tests.faults.sqs_proxy import SqsRequest

POINTS: dict[str, Callable[[FaultCase], Hold]] = {
    "after receive": lambda case: case.sqs.hold_after("ReceiveMessage", lambda answer: "Messages" in answer.json()),
    "before COMMIT": lambda case: case.database_line.hold_at(INSERT_SENT),
    "after COMMIT": lambda case: case.database_line.hold_at(INSERT_COMMITTED),
    "between deletes": lambda case: _hold_between_deletes(case),
}


@pytest.mark.parametrize("point", quick_and_slow(("before COMMIT", "after COMMIT"), POINTS))
def test_killed_at_a_point_and_started_again_it_writes_every_message_once(
    case: FaultCase, point: str, engine_options: list[str]
) -> None:
    case.send(150, "not JSON")
    hold = POINTS[point](case)
    killed = case.start(*engine_options)
    hold.await_reached()

    killed.send_signal(signal.SIGKILL)
    killed.wait()
    case.fault_ends()
    hold.release()

    case.ended_well(case.start("--until_empty", *engine_options))
    case.check()


def _hold_between_deletes(case: FaultCase) -> Hold:
    case.sqs.inject("DeleteMessageBatch", SqsRequest.forward, times=3)
    return case.sqs.hold_before("DeleteMessageBatch")
