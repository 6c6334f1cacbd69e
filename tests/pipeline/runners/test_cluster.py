"""Submitting to a cluster that is not there is one clear line."""

from __future__ import annotations

import queue
import signal
import threading

import grpc
import msgspec
import pytest
from rich.console import Console

from maskline.errors import RunnerError, UsageError
from maskline.keys import KeysetUri
from maskline.pipeline.beam_options import parse_beam_options
from maskline.pipeline.flink.submission import FlinkSubmission
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.runners.cluster import submit_job, with_max_long_poll
from maskline.pipeline.stopping import STOPPED_EXIT_CODE
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition


@pytest.fixture
def job(user_logins: StreamDefinition) -> JobSettings:
    """A job to submit."""
    return JobSettings(
        user_logins,
        QueueAddress("logins"),
        PostgresDsn.parse("postgresql://writer@db/logins"),
        KeysetUri.parse("env:KEYSET"),
    )


def test_a_runner_that_fails_is_reported_in_one_line(job: JobSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("Pipeline failed in state FAILED\nwith details")

    monkeypatch.setattr("apache_beam.Pipeline.run", refuse)

    with pytest.raises(RunnerError, match=r"^the runner reported: Pipeline failed in state FAILED$"):
        submit_job(job, parse_beam_options(["--runner=FlinkRunner"]), Console(quiet=True))


def test_an_option_that_beam_refuses_is_named_in_one_line(job: JobSettings) -> None:
    options = parse_beam_options(["--runner=PortableRunner", "--dataflow_job_file=job.json", "--template_location=job"])

    with pytest.raises(
        UsageError, match=r"^Beam refuses its options: --dataflow_job_file and --template_location are"
    ) as refusal:
        submit_job(job, options, Console(quiet=True))

    assert "\n" not in str(refusal.value)


def test_a_refusal_of_dataflow_is_reported_in_one_line(job: JobSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    exceptions = pytest.importorskip("google.api_core.exceptions", reason="the extra dataflow is not installed")

    def refuse(*_: object) -> None:
        raise exceptions.Forbidden("The caller does not have permission\nwith details")

    monkeypatch.setattr("apache_beam.Pipeline.run", refuse)

    with pytest.raises(RunnerError, match=r"^the runner reported: 403 The caller does not have permission$"):
        submit_job(
            job,
            parse_beam_options(["--runner=DataflowRunner", "--dataflow_endpoint=http://localhost:9"]),
            Console(quiet=True),
        )


def test_on_a_cluster_an_idle_poll_lasts_as_long_as_sqs_allows(job: JobSettings) -> None:
    assert with_max_long_poll(job).receive == ReceiveSettings(long_poll_seconds=20)


def test_a_job_that_ends_with_its_queue_polls_as_shortly_as_before(user_logins: StreamDefinition) -> None:
    receive = ReceiveSettings(long_poll_seconds=1)
    job = JobSettings(
        user_logins,
        QueueAddress("logins"),
        PostgresDsn.parse("postgresql://writer@db/logins"),
        KeysetUri.parse("env:KEYSET"),
        receive,
    )

    ending = msgspec.structs.replace(job, until_empty=True)

    assert with_max_long_poll(ending) == ending


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_job_over_a_connection_that_is_open_still(
    job: JobSettings, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    submitted, before = InterruptedJob(number), signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("apache_beam.Pipeline.run", lambda _: submitted)

    exit_code = submit_job(job, parse_beam_options(["--runner=PortableRunner"]), Console(quiet=True))

    assert exit_code == STOPPED_EXIT_CODE
    assert submitted.was_canceled.is_set()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_job_is_canceled_at_flink_though_its_job_server_has_ended_by_the_same_signal(
    job: JobSettings, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    submitted, canceled = JobWithoutJobServer(number), threading.Event()
    monkeypatch.setattr("apache_beam.Pipeline.run", lambda _: submitted)
    monkeypatch.setattr(FlinkSubmission, "cancel", lambda _: canceled.set())

    exit_code = submit_job(job, parse_beam_options(["--runner=FlinkRunner"]), Console(quiet=True))

    assert exit_code == STOPPED_EXIT_CODE
    assert canceled.is_set()


def test_a_signal_while_the_job_server_takes_the_job_stops_that_and_asks_flink(
    job: JobSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def submit(_: object) -> None:
        def stop_job_server(_number: int, _frame: object) -> None:  # as Beam has it while it submits
            done.append("job server stopped")

        before = signal.signal(signal.SIGINT, stop_job_server)
        try:
            send(signal.SIGTERM)
            threading.Event().wait(10)
        finally:
            signal.signal(signal.SIGINT, before)

    monkeypatch.setattr("apache_beam.Pipeline.run", submit)
    monkeypatch.setattr(FlinkSubmission, "cancel", lambda _: done.append("canceled at Flink"))

    with pytest.raises(KeyboardInterrupt):
        submit_job(job, parse_beam_options(["--runner=FlinkRunner"]), Console(quiet=True))

    assert done == ["job server stopped", "canceled at Flink"]


def test_a_job_server_that_is_not_there_is_reported_in_one_line(job: JobSettings) -> None:
    options = ["--runner=PortableRunner", "--job_endpoint=127.0.0.1:1", "--job_server_timeout=1"]

    with pytest.raises(RunnerError, match=r"^the runner reported: the job server does not answer$"):
        submit_job(job, parse_beam_options(options), Console(quiet=True))


def test_a_job_server_that_goes_away_is_reported_in_one_line(job: JobSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apache_beam.Pipeline.run", lambda _: JobWithoutJobServer(None))

    with pytest.raises(RunnerError, match=r"^the runner reported: the job server answered UNAVAILABLE: .+$") as failure:
        submit_job(job, parse_beam_options(["--runner=PortableRunner"]), Console(quiet=True))

    assert "\n" not in str(failure.value)


def test_a_second_ctrl_c_does_not_wait_until_dataflow_has_canceled_the_job(
    job: JobSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("google.cloud.dataflow", reason="the extra dataflow is not installed")
    submitted = JobThatRunsOn()
    monkeypatch.setattr("apache_beam.Pipeline.run", lambda _: submitted)

    with pytest.raises(KeyboardInterrupt):
        submit_job(
            job,
            parse_beam_options(["--runner=DataflowRunner", "--dataflow_endpoint=http://localhost:9"]),
            Console(quiet=True),
        )

    assert submitted.was_canceled.is_set()
    submitted.may_end.set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_dataflow_takes_the_job_cancels_it(
    job: JobSettings, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    pytest.importorskip("google.cloud.dataflow", reason="the extra dataflow is not installed")
    submitted = JobThatEndsWhenCanceled()
    announced = Announcements()

    def submit(_: object) -> JobThatEndsWhenCanceled:
        announced.wait_for("Submitting")
        send(number)
        announced.wait_for("Canceling")
        return submitted

    monkeypatch.setattr("apache_beam.Pipeline.run", submit)
    monkeypatch.setattr("maskline.pipeline.runners.cluster.announce", announced)

    exit_code = submit_job(
        job,
        parse_beam_options(["--runner=DataflowRunner", "--dataflow_endpoint=http://localhost:9"]),
        Console(quiet=True),
    )

    assert exit_code == STOPPED_EXIT_CODE
    assert submitted.was_canceled.is_set()


class Announcements:
    """What was announced, for another thread to wait for."""

    def __init__(self) -> None:
        self._texts: queue.Queue[str] = queue.Queue()

    def __call__(self, text: str, _: object) -> None:
        self._texts.put(text)

    def wait_for(self, beginning: str) -> None:
        while not self._texts.get(timeout=10).startswith(beginning):
            pass


class JobThatEndsWhenCanceled:
    """A job at Dataflow."""

    state = "CANCELLED"

    def __init__(self) -> None:
        self.was_canceled = threading.Event()

    def job_id(self) -> str:
        return "job-1"

    def wait_until_finish(self) -> None:
        from apache_beam.runners.dataflow.dataflow_runner import DataflowRuntimeException

        assert self.was_canceled.wait(10)
        raise DataflowRuntimeException("canceled", self)

    def cancel(self) -> None:
        self.was_canceled.set()


class JobThatRunsOn:
    """A job at Dataflow that runs on when it is canceled, and whose starter gets a Ctrl-C whenever it waits for it."""

    state = "CANCELLED"

    def __init__(self) -> None:
        self.was_canceled, self.may_end = threading.Event(), threading.Event()

    def job_id(self) -> str:
        return "job-1"

    def wait_until_finish(self) -> None:
        send(signal.SIGINT)
        self.may_end.wait(60)

    def cancel(self) -> None:
        self.was_canceled.set()


def send(number: signal.Signals) -> None:
    """Send a signal to the main thread, also where it waits for a lock."""
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, number)


class InterruptedJob:
    """A job that runs until it is canceled, and whose starter gets a signal."""

    def __init__(self, number: signal.Signals) -> None:
        self.was_canceled = threading.Event()
        self._number = number
        self._is_connected = True

    def wait_until_finish(self) -> None:
        try:
            send(self._number)
            assert self.was_canceled.wait(10)
        finally:  # as Beam's own does
            self._is_connected = False
        raise RuntimeError("Pipeline failed in state CANCELLED")

    def cancel(self) -> None:
        assert self._is_connected, "Cannot invoke RPC on closed channel!"
        self.was_canceled.set()


class JobWithoutJobServer:
    """A job whose job server has ended, once its starter got a signal, if any."""

    def __init__(self, number: signal.Signals | None) -> None:
        self._number = number

    def wait_until_finish(self) -> None:
        if self._number is None:
            self.cancel()
        else:
            send(self._number)
            threading.Event().wait(10)

    def cancel(self) -> None:
        with grpc.insecure_channel("127.0.0.1:1") as channel:
            channel.unary_unary("/job/Cancel")(b"", timeout=10)
