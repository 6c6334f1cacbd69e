"""Filling one micro-batch from a queue.

While the queue is empty, one long poll waits for it. Once something came, more and more receives run at the same time
while they bring messages; when they bring none, the receiver waits for what is left of the micro-batch's time, so that
messages gather in the queue and are paid for by the ten, and takes what has gathered at the end.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import msgspec
import tenacity

from maskline.errors import ArgumentError, QueueUnavailableError, SetupError
from maskline.records import SqsMessage
from maskline.sqs.client import MAX_BATCH_ENTRIES, MAX_VISIBILITY_SECONDS, Queue
from maskline.sqs.connections import MAX_WAIT_SECONDS
from maskline.sqs.failures import OverLimitError

MAX_CONCURRENT_RECEIVES = 8
MAX_BYTES = 16 * 1024 * 1024
OVER_LIMIT_PAUSE_SECONDS = 1.0

logger = logging.getLogger(__name__)


class ReceiveSettings(msgspec.Struct, frozen=True):
    """How micro-batches are received.

    Attributes:
        micro_batch_size: The most messages of a micro-batch, 1 or more.
        micro_batch_seconds: The time from its first message to its end, 0 to 60; taking what has gathered until then
            may last as long again.
        visibility_timeout_seconds: The visibility time-out of every receive, 1 to 43,200.
        long_poll_seconds: How long to wait for a first message, 0 to 20.
        retry_seconds: How long SQS may fail to answer before the job fails.
    """

    micro_batch_size: int = 1_000
    micro_batch_seconds: float = 0.2
    visibility_timeout_seconds: int = 60
    long_poll_seconds: int = 5
    retry_seconds: float = 300

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ArgumentError: One is out of its range.
        """
        if self.micro_batch_size < 1:
            raise ArgumentError(f"micro_batch_size is {self.micro_batch_size}; it must be 1 or more")
        if not 0 <= self.micro_batch_seconds <= 60:
            raise ArgumentError(f"micro_batch_seconds is {self.micro_batch_seconds}; it must be from 0 to 60")
        if not 1 <= self.visibility_timeout_seconds <= MAX_VISIBILITY_SECONDS:
            raise ArgumentError(
                f"visibility_timeout_seconds is {self.visibility_timeout_seconds}; SQS takes 1 to 43200"
            )
        if self.visibility_timeout_seconds < 3 * self.micro_batch_seconds:
            raise ArgumentError("visibility_timeout_seconds must be at least three times micro_batch_seconds")
        if not 0 <= self.long_poll_seconds <= MAX_WAIT_SECONDS:
            raise ArgumentError(f"long_poll_seconds is {self.long_poll_seconds}; SQS takes 0 to 20")
        if self.retry_seconds < 0:
            raise ArgumentError(f"retry_seconds is {self.retry_seconds}; it must not be negative")


class MicroBatchReceiver:
    """Receives micro-batches; keeps no message between them, so what is in flight is one micro-batch.

    It asks for more and more at a time as long as every receive brings something, and begins the next micro-batch with
    as many as filled the last one.

    Args:
        queue: The queue.
        settings: How to receive.
        stopping: When set, a micro-batch ends as soon as the receives under way have answered. They are never
            abandoned: a receive whose caller has gone still takes messages.
        clock: Monotonic time in seconds.
    """

    def __init__(
        self,
        queue: Queue,
        settings: ReceiveSettings,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._stopping = stopping
        self._clock = clock
        self._concurrent_receives = 1
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_RECEIVES, thread_name_prefix="sqs-receive")
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(QueueUnavailableError),
            stop=tenacity.stop_after_delay(settings.retry_seconds) | tenacity.stop_when_event_set(stopping),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=20),
            sleep=tenacity.sleep_using_event(stopping),
            before_sleep=_log_retry,
            reraise=True,
        )

    def receive(self, *, waits: bool = True) -> list[SqsMessage]:
        """Receive one micro-batch; an empty list means that there is nothing now.

        Args:
            waits: Whether a long poll waits for the first message, or only what is there already is taken.

        Raises:
            QueueError: The queue is gone, or may no longer be read.
            QueueUnavailableError: SQS did not answer for `ReceiveSettings.retry_seconds`.
        """
        messages = [] if self._stopping.is_set() else self._first_messages(waits)
        if messages:
            self._fill(messages, deadline=self._clock() + self._settings.micro_batch_seconds)
        return messages

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown()

    def _first_messages(self, waits: bool) -> list[SqsMessage]:
        try:
            return self._retry(self._receive_or_back_off, self._settings.long_poll_seconds if waits else 0)
        except QueueUnavailableError:
            if self._stopping.is_set():
                return []
            raise

    def _receive_or_back_off(self, wait_seconds: int) -> list[SqsMessage]:
        try:
            return self._receive_one(self._settings.micro_batch_size, wait_seconds)
        except OverLimitError as error:
            logger.warning("receiving paused: %s", error)
            self._stopping.wait(OVER_LIMIT_PAUSE_SECONDS)
            return []

    def _fill(self, messages: list[SqsMessage], deadline: float) -> None:
        while (room := self._room(messages)) > 0 and not self._stopping.is_set():
            is_time_over = self._clock() >= deadline
            answers = self._receive_round(room)
            for answer in answers:
                messages.extend(answer)
            if is_time_over and not (
                all(map(_is_full, answers)) and self._clock() < deadline + self._settings.micro_batch_seconds
            ):
                self._concurrent_receives = 1
                return
            if all(answers):
                self._concurrent_receives = min(self._concurrent_receives * 2, MAX_CONCURRENT_RECEIVES)
            else:
                self._concurrent_receives = 1
                self._stopping.wait(max(0.0, deadline - self._clock()))

    def _receive_round(self, room: int) -> list[list[SqsMessage]]:
        requests = [min(MAX_BATCH_ENTRIES, room - start) for start in range(0, room, MAX_BATCH_ENTRIES)]
        wanted = requests[: self._concurrent_receives]
        if len(wanted) == 1:
            return [self._receive_more(wanted[0])]
        return list(self._threads.map(self._receive_more, wanted))

    def _receive_more(self, room: int) -> list[SqsMessage]:
        try:
            return self._receive_one(room, 0)
        except (QueueUnavailableError, SetupError):
            # The micro-batch has messages already, and they go on; what is wrong shows at the next long poll.
            return []

    def _receive_one(self, room: int, wait_seconds: int) -> list[SqsMessage]:
        return self._queue.receive(
            min(MAX_BATCH_ENTRIES, room), wait_seconds, self._settings.visibility_timeout_seconds
        )

    def _room(self, messages: Sequence[SqsMessage]) -> int:
        """Return how many messages more there is room for, if they are as large as those that are there."""
        held_bytes = sum(len(message.body) for message in messages)
        mean_bytes = max(1.0, held_bytes / len(messages))
        return min(self._settings.micro_batch_size - len(messages), math.ceil((MAX_BYTES - held_bytes) / mean_bytes))


def _is_full(answer: Sequence[SqsMessage]) -> bool:
    return len(answer) == MAX_BATCH_ENTRIES


def _log_retry(attempt: tenacity.RetryCallState) -> None:
    if attempt.outcome is not None:
        logger.warning("receiving failed, trying again: %s", attempt.outcome.exception())
