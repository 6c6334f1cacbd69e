"""Running the job: how it ends, whatever ends it."""

from __future__ import annotations

import io
import pickle
import signal
import threading

import msgspec
import pytest
from apache_beam.io.watermark_estimators import ManualWatermarkEstimator
from rich.console import Console

from maskline.errors import DatabaseError, KeysetError
from maskline.keys import KeysetUri
from maskline.pipeline.beam_options import parse_beam_options, resolve_runner
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.runners import in_process
from maskline.pipeline.runners.in_process import JobFailedError, RunResult, console_monitor, new_run, run_job
from maskline.pipeline.stopping import stopping_on_signals
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.transforms.polling import Polling, PollingTracker
from maskline.transforms.reading import _Poll
from tests.awaiting import await_until
from tests.e2e.conftest import login


@pytest.fixture
def job(user_logins: StreamDefinition, queue_address: QueueAddress, dsn: str, keyset_uri: str) -> JobSettings:
    receive = ReceiveSettings(long_poll_seconds=0, micro_batch_seconds=0.05)
    return JobSettings(
        user_logins, queue_address, PostgresDsn.parse(dsn), KeysetUri.parse(keyset_uri), receive, until_empty=True
    )


def run(job: JobSettings) -> RunResult:
    options = parse_beam_options([])
    return run_job(job, options, resolve_runner(options), console_monitor(Console(file=io.StringIO())), new_run())


def test_a_run_says_what_became_of_the_messages(job: JobSettings, queue: SqsQueue) -> None:
    queue.send([login(1), "not JSON"])

    ran = run(job)

    assert (ran.counts.received, ran.counts.written, ran.counts.deleted) == (2, 1, 2)
    assert ran.counts.rejected_by_reason == {"not_json": 1}
    assert ran.seconds > 0
    assert not ran.was_stopped


def test_the_handlers_of_signals_are_put_back(job: JobSettings) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    run(job)

    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_an_error_of_ours_comes_out_as_it_is_and_not_as_the_runner_wraps_it(job: JobSettings) -> None:
    broken = msgspec.structs.replace(job, keyset=KeysetUri.parse("env:NOT_SET_ANYWHERE"))

    with pytest.raises(KeysetError, match="NOT_SET_ANYWHERE is not set"):
        run(broken)


def test_an_error_that_nobody_knows_is_a_failure_with_its_kind(
    job: JobSettings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(in_process, "_started", lambda *_: fail)

    with pytest.raises(JobFailedError, match="the job failed \\(ZeroDivisionError\\)"):
        run(job)

    assert "the runner failed" in caplog.text


def test_what_a_runner_has_not_torn_down_when_it_fails_is_given_back(
    job: JobSettings, queue: SqsQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, options = new_run(), parse_beam_options([])
    receive = ReceiveSettings(micro_batch_size=10, visibility_timeout_seconds=600)
    poll = pickle.dumps(_Poll(job.queue, receive, False, context))

    def poll_and_fail(*_: object) -> None:
        poller = pickle.loads(poll)
        poller.setup()
        polled = next(poller.process(0, tracker=PollingTracker(Polling()), watermark=ManualWatermarkEstimator(None)))
        assert len(polled.value) == 10
        await_until(lambda: queue.depth().in_flight == 20, "the next micro-batch is fetched ahead")
        context.stopping.set()
        raise DatabaseError("table user_logins is not there")

    monkeypatch.setattr(in_process, "_started", lambda *_: poll_and_fail)
    queue.send(["x"] * 20)

    with pytest.raises(JobFailedError):
        run_job(job, options, resolve_runner(options), console_monitor(Console(file=io.StringIO())), context)

    assert queue.depth().visible == 20


def test_the_first_signal_asks_and_the_second_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    exits: list[int] = []
    monkeypatch.setattr("os._exit", exits.append)

    stopping = threading.Event()
    with stopping_on_signals(stopping, Console(file=io.StringIO())):
        signal.raise_signal(signal.SIGINT)
        was_asked, exits_after_first = stopping.is_set(), list(exits)
        signal.raise_signal(signal.SIGTERM)

    assert was_asked
    assert exits_after_first == []
    assert exits == [130]
