"""Sending at a steady rate, whatever becomes of the messages, and remembering when each was sent."""

from __future__ import annotations

import time
from collections.abc import Callable

from benchmarks.messages import logins, user_of
from benchmarks.sqs_requests import SqsRequests


def send_steadily(
    endpoint: str,
    queue_url: str,
    numbers: range,
    per_second: float,
    on_sent: Callable[[], object] = lambda: None,
    clock: Callable[[], float] = time.time,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, float]:
    """Send one message after another, each at its time, and return when each user's was sent.

    A message's time depends on its place alone. One that is late, since the server took its time for the one before,
    counts from when it should have been sent: a producer would have sent it then.

    Args:
        endpoint: The URL of the API.
        queue_url: The queue.
        numbers: The numbers of the messages; see `benchmarks.messages`.
        per_second: How many to send a second.
        on_sent: Called for each that was sent.
        clock: Seconds since the epoch.
        sleep: Waits for so many seconds.

    Raises:
        QueueUnavailableError: The server did not take one.
    """
    sent_at: dict[str, float] = {}
    with SqsRequests(endpoint) as connection:
        started = clock()
        for place, number in enumerate(numbers):
            due = started + place / per_second
            sleep(max(0.0, due - clock()))
            connection.send(queue_url, logins(1, first=number))
            sent_at[user_of(number)] = due
            on_sent()
    return sent_at
