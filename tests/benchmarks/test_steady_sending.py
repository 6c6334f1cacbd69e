"""Steady sending: a message's time is its place's, whatever the server took for the one before."""

from __future__ import annotations

import pytest

from benchmarks.messages import logins, user_of
from benchmarks.servers.stub import StubSqs
from benchmarks.steady_sending import send_steadily
from maskline.pipeline.local.sqs import EmbeddedSqs
from maskline.sqs import QueueAddress, SqsQueue


def test_messages_are_sent_each_at_its_time(stub: StubSqs) -> None:
    url = stub.create_queue("steady")
    now = 1000.0
    sent_when: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    sent_at = send_steadily(
        stub.endpoint,
        url,
        range(3),
        per_second=10,
        on_sent=lambda: sent_when.append(now),
        senders=1,
        clock=lambda: now,
        sleep=sleep,
    )

    assert sent_at == pytest.approx({user_of(0): 1000.0, user_of(1): 1000.1, user_of(2): 1000.2})
    assert sent_when == pytest.approx(list(sent_at.values()))


def test_a_late_message_counts_from_when_it_should_have_been_sent(stub: StubSqs) -> None:
    url = stub.create_queue("late")
    times = iter([1000.0, 1000.0, 1005.0])

    sent_at = send_steadily(
        stub.endpoint, url, range(2), per_second=10, senders=1, clock=lambda: next(times), sleep=lambda _seconds: None
    )

    assert sent_at == pytest.approx({user_of(0): 1000.0, user_of(1): 1000.1})


def test_several_senders_send_every_message_once(stub: StubSqs, sqs: EmbeddedSqs) -> None:
    url = stub.create_queue("together")

    send_steadily(stub.endpoint, url, range(25), per_second=10_000)

    queue = SqsQueue.open(QueueAddress(url, stub.endpoint))
    received = [message.body for _ in range(3) for message in queue.receive(10, 0, 60)]
    assert sorted(received) == sorted(logins(25))
