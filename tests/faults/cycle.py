"""The points of the job's cycle, from the receive to the deletes, at which a fault finds messages in flight."""

from __future__ import annotations

from collections.abc import Callable

from tests.faults.case import FaultCase
from tests.faults.points import Hold
from tests.faults.postgres_wire import INSERT_COMMITTED, INSERT_SENT, REJECTIONS_SENT
from tests.faults.sqs_proxy import SqsRequest

HOLD_AT: dict[str, Callable[[FaultCase], Hold]] = {
    "after receive": lambda case: case.sqs.hold_before("ReceiveMessage", when=lambda: case.sqs.deliveries.total() > 0),
    "before COMMIT": lambda case: case.database_line.hold_at(INSERT_SENT),
    "before COMMIT of rejections": lambda case: case.database_line.hold_at(REJECTIONS_SENT),
    "after COMMIT": lambda case: case.database_line.hold_at(INSERT_COMMITTED),
    "between deletes": lambda case: _hold_between_deletes(case),
}
"""Let the job of a case stand still at a point, by its name."""


def _hold_between_deletes(case: FaultCase) -> Hold:
    case.sqs.inject("DeleteMessageBatch", SqsRequest.forward, times=3)
    return case.sqs.hold_before("DeleteMessageBatch")
