"""A job that was asked to stop and does not is ended."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator

import pytest
from rich.console import Console

from maskline.errors import StopTimedOutError
from maskline.keys import KeysetUri
from maskline.pipeline.beam_options import parse_beam_options, resolve_runner
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.runners import in_process
from maskline.pipeline.runners.in_process import LastResort, console_monitor, new_run, run_job, stop_seconds
from maskline.postgres.dsn import PostgresDsn
from maskline.records import Receipt
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.watchdog import WATCHDOG
from tests.maskline.sqs.faults import Clock


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """What a runner waits for that hangs."""
    answered = threading.Event()

    def hang() -> None:
        with WATCHDOG.watching("postgres: an insert"):
            answered.wait(60)

    monkeypatch.setattr(in_process, "_started", lambda *_: hang)
    monkeypatch.setattr(in_process, "STOP_SECONDS", 2.0)
    yield answered
    answered.set()


class HangingReceiver:
    """What gives its messages back to a queue that does not answer."""

    def __init__(self, answered: threading.Event) -> None:
        self._answered = answered

    def close(self) -> None:
        self._answered.wait(60)


@pytest.fixture
def job(user_logins: StreamDefinition, queue_address: QueueAddress, dsn: str, keyset_uri: str) -> JobSettings:
    return JobSettings(user_logins, queue_address, PostgresDsn.parse(dsn), KeysetUri.parse(keyset_uri))


def test_it_is_due_so_long_after_the_stop_and_never_without_one() -> None:
    stopping, clock = threading.Event(), Clock()
    last_resort = LastResort(stopping, clock)

    clock.advance(1000)
    without_a_stop = last_resort.is_due(20)
    stopping.set()
    at_the_stop = last_resort.is_due(20)
    clock.advance(19)
    before = last_resort.is_due(20)
    clock.advance(1)

    assert (without_a_stop, at_the_stop, before) == (False, False, False)
    assert last_resort.is_due(20)


@pytest.mark.parametrize(("long_poll_seconds", "seconds"), [(1, 20), (5, 20), (15, 20), (20, 25)])
def test_a_poll_that_takes_long_has_the_stop_take_longer(
    user_logins: StreamDefinition, long_poll_seconds: int, seconds: float
) -> None:
    job = JobSettings(
        user_logins,
        QueueAddress("logins"),
        PostgresDsn.parse("postgresql://writer@db/logins"),
        KeysetUri.parse("env:KEYSET"),
        ReceiveSettings(long_poll_seconds=long_poll_seconds),
    )

    assert stop_seconds(job) == seconds


def test_a_run_that_does_not_stop_says_what_it_waits_for_and_gives_its_messages_back(
    job: JobSettings, queue: SqsQueue, answered: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    queue.send(["x"] * 3)
    context, options = new_run(), parse_beam_options([])
    received = queue.receive(10, 0, 600)
    context.in_flight.add(job.queue, [Receipt(message.message_id, message.receipt_handle) for message in received])
    context.stopping.set()

    with pytest.raises(StopTimedOutError, match=r"did not stop within 2 s .* for: postgres: an insert \([2-9] s\)"):
        run_job(job, options, resolve_runner(options), console_monitor(Console(file=io.StringIO())), context)

    assert queue.depth().visible == 3
    assert re.search(r"asked to stop 2 s ago, the job waits for: postgres: an insert \([2-9] s\)", caplog.text)


def test_a_queue_that_takes_nothing_back_holds_up_no_end(
    job: JobSettings, answered: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_process, "GIVE_BACK_SECONDS", 0.1)
    context, options = new_run(), parse_beam_options([])
    receiver = HangingReceiver(answered)
    context.track_keeper(receiver)
    context.stopping.set()

    with pytest.raises(StopTimedOutError):
        run_job(job, options, resolve_runner(options), console_monitor(Console(file=io.StringIO())), context)
