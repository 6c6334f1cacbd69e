"""The messages in flight: received, and neither deleted nor given back."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable

from maskline.records import Receipt
from maskline.sqs.address import QueueAddress


class InFlight:
    """The deliveries that were received and not deleted yet, by queue. Thread-safe.

    Args:
        is_tracked: Whether deliveries are kept at all. Only where receiving and deleting happen in one process:
            elsewhere nobody would take the deleted ones out again.
    """

    def __init__(self, *, is_tracked: bool = True) -> None:
        self._is_tracked = is_tracked
        self._lock = threading.Lock()
        self._receipts: defaultdict[QueueAddress, dict[str, Receipt]] = defaultdict(dict)

    def add(self, queue: QueueAddress, receipts: Iterable[Receipt]) -> None:
        """Remember deliveries of a queue."""
        if self._is_tracked:
            with self._lock:
                self._receipts[queue].update({receipt.receipt_handle: receipt for receipt in receipts})

    def remove(self, queue: QueueAddress, receipts: Iterable[Receipt]) -> None:
        """Forget deliveries of a queue."""
        if self._is_tracked:
            with self._lock:
                in_flight = self._receipts[queue]
                for receipt in receipts:
                    in_flight.pop(receipt.receipt_handle, None)

    def count(self) -> int:
        """Return how many deliveries are in flight, of all queues."""
        with self._lock:
            return sum(map(len, self._receipts.values()))

    def including(self, queue: QueueAddress, receipts: Iterable[Receipt]) -> list[Receipt]:
        """Return these deliveries and all others of the same queue that are in flight."""
        with self._lock:
            others = self._receipts[queue] if self._is_tracked else {}
            return list({**others, **{receipt.receipt_handle: receipt for receipt in receipts}}.values())
