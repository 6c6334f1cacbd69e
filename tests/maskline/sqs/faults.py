"""A queue that fails on demand, and a clock that moves when told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TypeVar

from maskline.futures import settle
from maskline.records import Receipt, SqsMessage
from maskline.sqs import DeleteFailure, QueueDepth

T = TypeVar("T")

Answer = list[SqsMessage] | Exception
"""What a receive brings, or how it fails."""


class Clock:
    """Monotonic time that moves when told."""

    def __init__(self) -> None:
        self._now = 1000.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        with self._lock:
            self._now += seconds


class HastyEvent(threading.Event):
    """An event on which nobody waits longer than 10 ms; it keeps how long they meant to."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout if timeout is not None else float("inf"))
        return super().wait(0.01)


class BlockingQueue:
    """Makes the verbs that do not wait from those that do, for a queue of a test's: they are over when they return."""

    connections = 8

    def submit_receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> Future[list[SqsMessage]]:
        return self._done(lambda: self.receive(max_messages, wait_seconds, visibility_seconds))

    def submit_delete(self, receipts: Sequence[Receipt]) -> Future[list[DeleteFailure]]:
        return self._done(lambda: self.delete(receipts))

    def submit_extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> Future[list[DeleteFailure]]:
        return self._done(lambda: self.extend(receipts, visibility_seconds))

    def receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> list[SqsMessage]:
        raise AssertionError("nothing is received here")

    def delete(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        raise AssertionError("nothing is deleted here")

    def extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> list[DeleteFailure]:
        raise AssertionError("nothing is extended here")

    def depth(self) -> QueueDepth:
        raise AssertionError("nobody asks for the depth here")

    def _done(self, call: Callable[[], T]) -> Future[T]:
        future: Future[T] = Future()
        settle(future, call)
        return future


class FaultyQueue(BlockingQueue):
    """Follows the `Queue` protocol; what it answers is said by its callables, and what it was asked is kept.

    Args:
        receive: Called for each receive with its number, counted from 0.
        delete: Called for each delete with its number and its receipts.
        extend: Called for each extend with its receipts.
    """

    def __init__(
        self,
        receive: Callable[[int], Answer] = lambda number: [],
        delete: Callable[[int, Sequence[Receipt]], list[DeleteFailure]] = lambda number, receipts: [],
        extend: Callable[[Sequence[Receipt]], list[DeleteFailure]] = lambda receipts: [],
    ) -> None:
        self._receive = receive
        self._delete = delete
        self._extend = extend
        self._lock = threading.Lock()
        self.received: list[tuple[int, int, int]] = []
        self.deleted: list[list[Receipt]] = []
        self.extended: list[tuple[list[Receipt], int]] = []

    def receive(self, max_messages: int, wait_seconds: int, visibility_seconds: int) -> list[SqsMessage]:
        with self._lock:
            number = len(self.received)
            self.received.append((max_messages, wait_seconds, visibility_seconds))
        answer = self._receive(number)
        if isinstance(answer, Exception):
            raise answer
        return answer[:max_messages]

    def delete(self, receipts: Sequence[Receipt]) -> list[DeleteFailure]:
        with self._lock:
            number = len(self.deleted)
            self.deleted.append(list(receipts))
        return self._delete(number, receipts)

    def extend(self, receipts: Sequence[Receipt], visibility_seconds: int) -> list[DeleteFailure]:
        self.extended.append((list(receipts), visibility_seconds))
        return self._extend(receipts)

    def depth(self) -> QueueDepth:
        return QueueDepth(0, 0, 0)


def some_messages(count: int, body: str = "{}") -> list[SqsMessage]:
    """Return messages as a receive brings them."""
    sent_at = datetime(2026, 1, 31, 12, tzinfo=UTC)
    return [SqsMessage(f"message-{number}", f"handle-{number}", body, sent_at, 1) for number in range(count)]


def some_receipts(count: int) -> list[Receipt]:
    """Return receipts of deliveries."""
    return [Receipt(f"message-{number}", f"handle-{number}") for number in range(count)]


def receipts_of(messages: Sequence[SqsMessage]) -> list[Receipt]:
    """Return what deletes messages."""
    return [Receipt(message.message_id, message.receipt_handle) for message in messages]
