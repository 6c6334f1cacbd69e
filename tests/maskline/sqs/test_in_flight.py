"""Which deliveries are in flight, queue by queue."""

from __future__ import annotations

from maskline.sqs import QueueAddress
from maskline.sqs.in_flight import InFlight
from tests.maskline.sqs.faults import some_receipts

LOGINS, ORDERS = QueueAddress("logins"), QueueAddress("orders")


def test_what_was_received_and_not_deleted_is_in_flight() -> None:
    in_commit, behind, deleted = some_receipts(3)
    in_flight = InFlight()
    in_flight.add(LOGINS, [behind, deleted])
    in_flight.remove(LOGINS, [deleted])

    assert in_flight.including(LOGINS, [in_commit, behind]) == [behind, in_commit]


def test_queues_are_kept_apart() -> None:
    login, order = some_receipts(2)
    in_flight = InFlight()
    in_flight.add(LOGINS, [login])
    in_flight.add(ORDERS, [order])

    in_flight.remove(LOGINS, [order])

    assert in_flight.including(LOGINS, []) == [login]
    assert in_flight.including(ORDERS, []) == [order]


def test_where_nothing_is_deleted_in_this_process_nothing_is_kept() -> None:
    given, received = some_receipts(2)
    in_flight = InFlight(is_tracked=False)
    in_flight.add(LOGINS, [received])

    assert in_flight.including(LOGINS, [given]) == [given]
