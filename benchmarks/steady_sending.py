"""Sending at a steady rate, whatever becomes of the messages, and remembering when each was sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from benchmarks.messages import logins, user_of
from benchmarks.sqs_requests import Shared, SqsRequests

SENDERS = 8
"""So many requests may be under way at once, so that a slow one does not hold up the next."""


def send_steadily(
    endpoint: str,
    queue_url: str,
    numbers: range,
    per_second: float,
    on_sent: Callable[[], object] = lambda: None,
    senders: int = SENDERS,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, float]:
    """Send one message after another, each at its time, and return when each user's was sent.

    A message's time depends on its place alone. One that is late, since the server took its time for those before,
    counts from when it should have been sent: a producer would have sent it then.

    Args:
        endpoint: The URL of the API.
        queue_url: The queue.
        numbers: The numbers of the messages; see `benchmarks.messages`.
        per_second: How many to send a second.
        on_sent: Called for each that was sent.
        senders: How many requests may be under way at once.
        clock: Seconds since the epoch.
        sleep: Waits for so many seconds.

    Raises:
        QueueUnavailableError: The server did not take one.
    """
    started = clock()
    due_at = {number: started + place / per_second for place, number in enumerate(numbers)}
    remaining = Shared(due_at.items())

    def send() -> None:
        with SqsRequests(endpoint) as connection:
            for number, due in remaining:
                sleep(max(0.0, due - clock()))
                connection.send(queue_url, logins(1, first=number))
                on_sent()

    with ThreadPoolExecutor(senders, thread_name_prefix="steady-sender") as threads:
        for sending in [threads.submit(send) for _ in range(senders)]:
            sending.result()
    return {user_of(number): due for number, due in due_at.items()}
