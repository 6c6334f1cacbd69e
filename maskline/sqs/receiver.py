"""Receiving micro-batches from a queue, the next one while the current one is processed.

While the queue is empty, one long poll waits for it. Once something came, more and more receives run at the same time
while they come back full; when they bring little, the receiver waits for what is left of the micro-batch's time, so
that messages gather in the queue and are paid for by the ten, and takes what has gathered at the end.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future

import msgspec
import tenacity

from maskline.errors import ArgumentError, MasklineError, QueueUnavailableError
from maskline.records import SqsMessage
from maskline.sqs.client import MAX_BATCH_ENTRIES, MAX_VISIBILITY_SECONDS, DeleteFailure, Queue, in_requests
from maskline.sqs.connections import MAX_WAIT_SECONDS
from maskline.sqs.failures import OverLimitError
from maskline.sqs.gathering import Gathering
from maskline.sqs.held_messages import HeldAnswer, HeldMessages
from maskline.watchdog import SLOW_SECONDS, WATCHDOG

MAX_BYTES = 16 * 1024 * 1024
OVER_LIMIT_PAUSE_SECONDS = 1.0
CLOSE_SECONDS = 3.0
"""How long closing waits for answers, beyond a long poll."""

LOOK_SECONDS = 0.1
"""How soon a stop is seen by who waits for messages."""

logger = logging.getLogger(__name__)

Wait = Callable[[threading.Condition, float], object]
"""Waits for a condition, so many seconds at most."""


class ReceiveSettings(msgspec.Struct, frozen=True):
    """How micro-batches are received.

    Attributes:
        micro_batch_size: The most messages of a micro-batch, 1 or more.
        micro_batch_seconds: The time from its first message to its end, 0 to 60. Taking what has gathered begins as
            long before that as it took of late, and may last as long as that time itself.
        visibility_timeout_seconds: The visibility time-out of every receive, 1 to 43,200.
        long_poll_seconds: How long to wait for a first message, 0 to 20.
        retry_seconds: How long SQS may fail to answer before the job fails.
        hold_seconds: How long messages that were fetched ahead are kept from others; then they are given back.
    """

    micro_batch_size: int = 1_000
    micro_batch_seconds: float = 0.2
    visibility_timeout_seconds: int = 60
    long_poll_seconds: int = 5
    retry_seconds: float = 300
    hold_seconds: float = 300

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
        if self.hold_seconds < 0:
            raise ArgumentError(f"hold_seconds is {self.hold_seconds}; it must not be negative")


class MicroBatchReceiver:
    """Receives micro-batches, and fetches the next one while the last one is processed. Thread-safe.

    *Guarantee*: no message is lost. What a receive brings is handed out once, or given back (its visibility time-out
    set to 0), or left to come back by itself when that time-out is over:

    * What is fetched ahead is extended while it waits, before a third of its time-out is over, and given back when it
      has waited for `ReceiveSettings.hold_seconds`: who makes no progress keeps nothing from others.
    * A message is handed out only while SQS certainly hides it. It is dropped, and comes back by itself, once its
      time-out could be over: its receipt may be stale then, and somebody else may have it. That time-out counts from
      when its receive was sent, or, for a long poll, from when it was answered.
    * Once it is stopped or closed, what was not handed out is given back, and so is what receives under way still
      bring. They are never abandoned before they must have been answered: one whose caller has gone still takes
      messages.

    *What is fetched ahead* is bounded by one micro-batch, or by two while somebody waits for the next one, each of
    `size` messages and about `MAX_BYTES`.

    *Receives are billed*: all but one at a time return at once, and one that comes back with little, or with nothing,
    has the others stop until the micro-batch's time is over.

    Args:
        queue: The queue.
        settings: How to receive.
        stopping: When set, nothing more is received.
        clock: Monotonic time in seconds.
        wait: Waits for messages; a test passes its own.
    """

    def __init__(
        self,
        queue: Queue,
        settings: ReceiveSettings,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
        wait: Wait = threading.Condition.wait,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._stopping = stopping
        self._clock = clock
        self._wait = wait
        self._changed = threading.Condition()
        self._held = HeldMessages()
        self._under_way = 0
        self._long_polls = 0
        self._short_polls = 0
        self._asked = 0
        self._concurrency = 1
        self._gathering = Gathering(settings.micro_batch_seconds)
        self._gathers = False
        self._is_last_taken = False
        self._is_wanted = False
        self._is_waited_for = False
        self._is_submitting = False
        self._is_closed = threading.Event()
        self._failure: Exception | None = None
        self._keeper: threading.Thread | None = None
        self._retry = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(QueueUnavailableError),
            stop=tenacity.stop_after_delay(settings.retry_seconds) | tenacity.stop_when_event_set(stopping),
            wait=tenacity.wait_random_exponential(multiplier=0.5, max=20),
            sleep=tenacity.sleep_using_event(stopping),
            before_sleep=_log_retry,
            reraise=True,
        )

    @property
    def under_way(self) -> int:
        """How many calls to the queue are in progress."""
        return self._under_way

    def receive(self, *, waits: bool = True) -> list[SqsMessage]:
        """Return one micro-batch; an empty list means that there is nothing now.

        Args:
            waits: Whether a long poll waits for the first message, or only what is there already is taken.

        Raises:
            QueueError: The queue is gone, or may no longer be read.
            QueueUnavailableError: SQS did not answer for `ReceiveSettings.retry_seconds`.
        """
        if self._stopping.is_set():
            self._give_back_held()
            return []
        try:
            return self._retry(self._next_batch, waits)
        except QueueUnavailableError:
            if self._stopping.is_set():
                return []
            raise

    def close(self) -> None:
        """Give back what was not handed out, and wait for the receives under way, each of which has its deadline."""
        self._is_closed.set()
        self._give_back_held()
        give_up = self._clock() + self._settings.long_poll_seconds + CLOSE_SECONDS
        with self._changed:
            while self._under_way and (left := give_up - self._clock()) > 0:
                self._wait(self._changed, left)
            if self._under_way:
                logger.warning(
                    "%d calls to the queue were not answered; messages that they took come back after their visibility "
                    "time-out",
                    self._under_way,
                )
            keeper = self._keeper
        if keeper is not None:
            keeper.join(CLOSE_SECONDS)

    def _next_batch(self, waits: bool) -> list[SqsMessage]:
        usual_seconds = self._settings.long_poll_seconds + 2 * self._settings.micro_batch_seconds
        with (
            WATCHDOG.watching("receiving: an answer of SQS", slow_seconds=usual_seconds + SLOW_SECONDS),
            self._changed,
        ):
            self._failure = None
            self._is_wanted = self._is_waited_for = True
            while not self._stopping.is_set():
                self._receive_more(waits)
                if self._is_complete() or self._is_queue_empty(waits):
                    break
                self._wait(self._changed, self._seconds_to_wait())
            self._is_waited_for = False
            if not self._held.count and self._failure is not None:
                return self._back_off_or_fail(self._failure)
            return self._hand_out()

    def _back_off_or_fail(self, failure: Exception) -> list[SqsMessage]:
        if not isinstance(failure, OverLimitError):
            raise failure
        logger.warning("receiving paused: %s", failure)
        self._stopping.wait(OVER_LIMIT_PAUSE_SECONDS)
        return []

    def _hand_out(self) -> list[SqsMessage]:
        now = self._clock()
        answers = self._held.take(self._settings.micro_batch_size, MAX_BYTES)
        hidden = [answer for answer in answers if now < answer.hidden_until]
        if len(hidden) < len(answers):
            logger.warning(
                "%d messages waited beyond their visibility time-out, and come back",
                sum(len(answer.messages) for answer in answers if now >= answer.hidden_until),
            )
        self._gathering.end()
        self._gathers = self._is_last_taken = False
        if self._held.count:
            self._gathering.begin(self._held.answers[0].came_at)
        self._is_wanted = bool(hidden)
        self._receive_more(waits=True)
        return [message for answer in hidden for message in answer.messages]

    def _is_complete(self) -> bool:
        """Return whether the micro-batch is full, its time is over, or filling it failed."""
        if not self._held.count:
            return self._failure is not None
        return (
            self._failure is not None
            or self._held.count >= self._settings.micro_batch_size
            or self._held.bytes >= MAX_BYTES
            # Another receive may have the rest, which would wait for all the time of the next micro-batch.
            or (self._is_last_taken and not self._short_polls)
            or self._gathering.is_taken_for_too_long(self._clock())
        )

    def _is_queue_empty(self, waits: bool) -> bool:
        """Return whether every receive that was asked of an empty micro-batch has brought nothing."""
        return not self._held.count and self._under_way == (0 if waits else self._long_polls)

    def _seconds_to_wait(self) -> float:
        if not self._held.count:
            return LOOK_SECONDS
        return min(LOOK_SECONDS, self._gathering.seconds_left(self._clock()))

    def _receive_more(self, waits: bool) -> None:
        """Begin as many receives as shall be under way; in one thread at a time, however soon they are answered."""
        if self._is_submitting:
            return
        self._is_submitting = True
        try:
            while (wait_seconds := self._next_wait_seconds(waits)) is not None:
                self._begin_receive(wait_seconds)
        finally:
            self._is_submitting = False

    def _next_wait_seconds(self, waits: bool) -> int | None:
        """Return how long the next receive shall wait for messages, or None where none shall begin."""
        if self._stopping.is_set() or self._is_closed.is_set() or self._failure or not self._is_wanted:
            return None
        if self._held.count:
            if self._gathers:
                now = self._clock()
                if not self._gathering.is_over(now):
                    return None
                self._gathers = False
                self._gathering.take(now)
            if self._is_last_taken or self._is_complete():
                return None
        if self._under_way >= self._concurrency or self._room() - self._asked < 1:
            return None
        return self._settings.long_poll_seconds if waits and not self._held.count and not self._long_polls else 0

    def _begin_receive(self, wait_seconds: int) -> None:
        wanted = min(MAX_BATCH_ENTRIES, self._room() - self._asked)
        began_at = self._clock()
        self._under_way += 1
        self._asked += wanted
        self._long_polls += wait_seconds > 0
        self._short_polls += wait_seconds == 0
        receive = self._queue.submit_receive(wanted, wait_seconds, self._settings.visibility_timeout_seconds)

        def end(receive: Future[list[SqsMessage]]) -> None:
            with self._changed:
                self._under_way -= 1
                self._asked -= wanted
                self._long_polls -= wait_seconds > 0
                self._short_polls -= wait_seconds == 0
                held_before = self._held.count
                self._keep_answer(receive, wanted, None if wait_seconds else began_at)
                self._receive_more(waits=True)
                if not held_before or not self._under_way or self._is_complete():  # else it would wake in vain
                    self._changed.notify_all()

        receive.add_done_callback(end)

    def _keep_answer(self, receive: Future[list[SqsMessage]], wanted: int, hidden_from: float | None) -> None:
        try:
            messages = receive.result()
        except Exception as error:
            self._failure = error
            return
        now = self._clock()
        self._gathering.note_answer(now)
        is_over = self._stopping.is_set() or self._is_closed.is_set()
        if messages and not self._held.count:
            self._gathering.begin(now)
        answer = HeldAnswer(messages, now, (hidden_from or now) + self._settings.visibility_timeout_seconds)
        if messages and is_over:
            self._give_back([answer])
        elif messages:
            self._held.add(answer)
            self._start_keeper()
        elif not self._held.count and not self._long_polls:
            self._is_wanted = False
        self._adapt(len(messages), wanted)
        self._is_last_taken = self._gathering.is_over(now) and len(messages) < wanted

    def _adapt(self, came: int, wanted: int) -> None:
        if came == wanted:
            self._concurrency = min(self._concurrency + 1, self._queue.connections)
            return
        if came == 0:
            self._concurrency = 1
        elif came < wanted / 2:
            self._concurrency = max(1, self._concurrency // 2)
        else:
            return
        if self._concurrency == 1 and not self._gathering.is_over(self._clock()):
            self._gathers = self._held.count > 0

    def _room(self) -> int:
        """Return how many messages more may be held, if they are as large as those that are.

        While somebody waits, what was handed out before is being committed, if that: there is room for two
        micro-batches.
        """
        batches = 2 if self._is_waited_for else 1
        room = batches * self._settings.micro_batch_size - self._held.count
        if not self._held.count:
            return room
        mean_bytes = max(1.0, self._held.bytes / self._held.count)
        return min(room, math.ceil((batches * MAX_BYTES - self._held.bytes) / mean_bytes))

    def _give_back_held(self) -> None:
        with self._changed:
            self._give_back(self._held.take_all())

    def _give_back(self, answers: Sequence[HeldAnswer]) -> None:
        receipts = [receipt for answer in answers for receipt in answer.receipts]
        for request in in_requests(receipts):
            self._under_way += 1
            self._queue.submit_extend(request, 0).add_done_callback(self._end_giving_back)

    def _end_giving_back(self, extend: Future[list[DeleteFailure]]) -> None:
        error = extend.exception()
        if error is not None:
            logger.warning("messages not given back, they come back after their visibility time-out: %s", error)
        with self._changed:
            self._under_way -= 1
            self._changed.notify_all()

    def _start_keeper(self) -> None:
        if self._keeper is None:
            self._keeper = threading.Thread(target=self._keep_hidden, name="sqs-prefetch-lease", daemon=True)
            self._keeper.start()

    def _keep_hidden(self) -> None:
        """Extend what waits to be handed out, until the receiver is closed."""
        while not self._is_closed.wait(self._settings.visibility_timeout_seconds / 12):
            self.extend_held()

    def extend_held(self) -> None:
        """Extend what has waited for a fourth of its time-out; give back what waits for too long, or once stopped.

        A thread does this all the time.
        """
        if self._stopping.is_set():
            self._give_back_held()
            return
        visibility_seconds = self._settings.visibility_timeout_seconds
        now = self._clock()
        with self._changed:
            due = [answer for answer in self._held.answers if answer.hidden_until - now < visibility_seconds * 3 / 4]
            too_long = [answer for answer in due if now - answer.came_at >= self._settings.hold_seconds]
            if too_long:
                self._is_wanted = False
                self._give_back(self._held.remove(too_long))
        kept = [answer for answer in due if now - answer.came_at < self._settings.hold_seconds]
        if not kept:
            return
        try:
            failures = self._queue.extend(
                [receipt for answer in kept for receipt in answer.receipts], visibility_seconds
            )
        except MasklineError as error:
            logger.warning("visibility of messages fetched ahead not changed: %s", error)
            return
        refused = {failure.receipt.receipt_handle for failure in failures}
        with self._changed:
            for answer in kept:
                if refused.isdisjoint(receipt.receipt_handle for receipt in answer.receipts):
                    answer.hidden_until = now + visibility_seconds


def _log_retry(attempt: tenacity.RetryCallState) -> None:
    if attempt.outcome is not None:
        logger.warning("receiving failed, trying again: %s", attempt.outcome.exception())
