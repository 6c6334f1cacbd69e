"""A part takes every connection, acknowledges every packet, and never answers: hangs, beside cuts."""

from __future__ import annotations

import itertools
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskline.keys import StoredKeyset, keyset_provider
from maskline.keys.keyset import keyset_handle
from maskline.keys.keyset_store import store_keyset
from tests.awaiting import await_until
from tests.aws_emulation import EmulatedAws
from tests.e2e.job_process import JobProcess
from tests.faults.case import FaultCase
from tests.faults.points import Direction, Hold, Point
from tests.faults.postgres_wire import INSERT_COMMITTED, INSERT_SENT
from tests.faults.sqs_proxy import SqsRequest
from tests.faults.tcp_proxy import TcpProxy, tcp_connection

MAX_STOP_SECONDS = 30
POINTS = {"in the insert": INSERT_SENT, "at COMMIT": INSERT_COMMITTED}
POSTGRES = ("at connect", *POINTS)

pytestmark = pytest.mark.slow


def hang_postgres(case: FaultCase, point: str, job: JobProcess) -> Callable[[], None]:
    """Let all lines to the database hang once the job has reached a point; return what lets them go on."""
    if point == "at connect":
        case.send(10)
        case.await_outcomes(10)
        case.database_line.hang()
        case.database_line.cut()
        case.send(140, "not JSON")
        case.database_line.await_conversation()
        return case.database_line.resume
    hold = case.database_line.hold_at(POINTS[point])
    case.send(150, "not JSON")
    hold.await_reached()
    case.database_line.hang()

    def resume() -> None:
        case.database_line.resume()
        hold.release()

    return resume


def says(job: JobProcess, text: str, seconds: float = 30) -> None:
    """Return when the job's log has said something."""
    await_until(lambda: re.search(text, job.errors_so_far()) is not None, f"the log says {text}", seconds)


def ends_by(job: JobProcess, number: signal.Signals) -> int:
    """Send the job a signal, fail unless it ends in time, and return its exit code."""
    job.send_signal(number)
    return job.wait(MAX_STOP_SECONDS)


def goes_on(case: FaultCase) -> None:
    """Fail unless the next job writes what this one left, each message once."""
    case.fault_ends()
    case.ended_well(case.start("--until_empty"))
    case.check()


@pytest.mark.parametrize("point", POSTGRES)
def test_hang_of_postgres_is_said_retried_and_costs_no_message(
    case: FaultCase, point: str, runner_options: list[str]
) -> None:
    job = case.start("--db_retry_seconds=60", *runner_options)
    resume = hang_postgres(case, point, job)

    says(job, r"postgres: (an insert|connecting) has taken [5-9] s so far")
    says(job, "writing failed, trying again", seconds=40)
    resume()
    case.fault_ends()

    case.await_accounted()
    case.stop(job)
    case.check()


@pytest.mark.parametrize("point", POSTGRES)
def test_hang_of_postgres_for_longer_than_allowed_ends_the_job(case: FaultCase, point: str) -> None:
    job = case.start("--db_retry_seconds=5")
    resume = hang_postgres(case, point, job)
    hung_at = time.monotonic()

    assert job.wait(60) == 75

    assert time.monotonic() - hung_at < 5 + 30 + 15
    assert re.fullmatch(r"postgres: .*(no answer in|timeout expired).*", job.failure())
    assert "Traceback" not in job.errors
    resume()
    goes_on(case)


@pytest.mark.parametrize("point", POSTGRES)
def test_hang_of_postgres_keeps_no_job_from_stopping(case: FaultCase, point: str, runner_options: list[str]) -> None:
    job = case.start("--visibility_timeout_seconds=600", *runner_options)
    resume = hang_postgres(case, point, job)

    assert ends_by(job, signal.SIGTERM) == 75

    assert job.failure().startswith("postgres: ")
    assert "Traceback" not in job.errors
    assert case.queue.depth().in_flight == 0, job.errors
    resume()
    goes_on(case)


def test_hang_of_postgres_keeps_no_job_of_several_processes_from_stopping(case: FaultCase) -> None:
    job = case.start("--visibility_timeout_seconds=600", "--processes=2")
    resume = hang_postgres(case, "in the insert", job)

    assert ends_by(job, signal.SIGINT) == 75

    assert job.failure().startswith("postgres: ")
    resume()
    goes_on(case)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_hang_of_postgres_before_the_job_has_started_keeps_it_from_no_signal(
    case: FaultCase, number: signal.Signals
) -> None:
    case.database_line.hang()
    case.send(10)
    job = case.start()
    says(job, r"postgres: connecting has taken [5-9] s so far")

    assert ends_by(job, number) == 130

    assert job.failure() == "interrupted"
    case.database_line.resume()
    goes_on(case)


def test_hang_of_sqs_is_said_and_costs_no_message(case: FaultCase) -> None:
    case.send(150, "not JSON")
    hold = case.sqs.hold_before("DeleteMessageBatch")
    job = case.start("--until_empty")
    hold.await_reached()

    case.queue_line.hang()
    says(job, r"an answer of SQS has taken \d+ s so far")
    case.queue_line.resume()
    hold.release()
    case.fault_ends()

    case.ended_well(job)
    case.check()


@pytest.mark.parametrize("action", ["ReceiveMessage", "DeleteMessageBatch"])
def test_hang_of_sqs_keeps_no_job_from_stopping(case: FaultCase, action: str, runner_options: list[str]) -> None:
    job = case.start(*runner_options)
    case.send(10)
    case.await_accounted()
    case.sqs.inject(action, SqsRequest.forward)
    hold = case.sqs.hold_before(action)
    case.send(50)
    hold.await_reached()
    case.queue_line.hang()

    exit_code = ends_by(job, signal.SIGTERM)

    assert exit_code in (0, 1)
    if exit_code:
        assert "waiting for: queue " in job.failure()
    assert "Traceback" not in job.errors
    case.queue_line.resume()
    hold.drop()
    case.sqs.heal()
    goes_on(case)


def test_hang_of_sqs_in_a_lease_holds_up_no_insert(case: FaultCase) -> None:
    hold = case.database_line.hold_at(INSERT_SENT)
    extend = case.sqs.hold_before("ChangeMessageVisibilityBatch")
    case.send(150, "not JSON")
    job = case.start()
    hold.await_reached()
    extend.await_reached()

    released_at = time.monotonic()
    hold.release()
    case.await_outcomes(1)

    assert time.monotonic() - released_at < 10
    extend.release()
    case.sqs.heal()
    case.await_accounted()
    case.stop(job)
    case.check()


@pytest.fixture
def kms_line(aws: EmulatedAws, monkeypatch: pytest.MonkeyPatch) -> Iterator[TcpProxy]:
    """The line to KMS, for the jobs of the test."""
    with TcpProxy(lambda: tcp_connection(aws.endpoint)) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", f"http://127.0.0.1:{proxy.port}")
        yield proxy


@pytest.fixture
def kms_keyset(aws: EmulatedAws, kms_line: TcpProxy, stored_keyset: StoredKeyset, tmp_path: Path) -> str:
    """The option that names the case's keyset, encrypted by a KMS key."""
    provider = keyset_provider(f"aws-kms://{aws.create_kms_key()}?keyset=file:{tmp_path / 'encrypted.json'}")
    store_keyset(keyset_handle(stored_keyset), provider)
    return f"--keyset={provider.uri}"


def hold_workers_decryption(line: TcpProxy) -> Hold:
    """Let the line to KMS hang where the job's workers open the keyset; the first to do so is preflight."""
    calls = itertools.count(1)
    return line.hold_at(Point(Direction.TO_SERVER, lambda sent: b"TrentService.Decrypt" in sent and next(calls) == 2))


def test_hang_of_kms_is_said_retried_and_costs_no_message(case: FaultCase, kms_line: TcpProxy, kms_keyset: str) -> None:
    case.send(100, "not JSON")
    hold = hold_workers_decryption(kms_line)
    job = case.start("--until_empty", kms_keyset)
    hold.await_reached()

    says(job, r"an answer of KMS has taken [5-9] s so far")

    case.ended_well(job)
    case.check()


def test_hang_of_kms_keeps_no_job_from_stopping(case: FaultCase, kms_line: TcpProxy, kms_keyset: str) -> None:
    hold = hold_workers_decryption(kms_line)
    case.send(100)
    job = case.start(kms_keyset)
    hold.await_reached()
    kms_line.hang()

    assert ends_by(job, signal.SIGTERM) == 1

    last = job.failure()
    assert last.startswith("the job did not stop within 20 s and was ended, waiting for: keyset aws-kms://")
    kms_line.resume()
    hold.release()
    case.fault_ends()
    case.ended_well(case.start("--until_empty", kms_keyset))
    case.check()


def test_hang_of_kms_before_the_job_has_started_keeps_it_from_no_signal(
    case: FaultCase, kms_line: TcpProxy, kms_keyset: str
) -> None:
    kms_line.hang()
    job = case.start(kms_keyset)
    says(job, r"an answer of KMS has taken [5-9] s so far")

    assert ends_by(job, signal.SIGTERM) == 130

    assert job.failure() == "interrupted"


def test_hang_of_the_name_server_is_said_retried_and_costs_no_message(case: FaultCase, tmp_path: Path) -> None:
    hangs = tmp_path / "hangs"
    job = case.start("--db_retry_seconds=60", program=("-m", "tests.faults.hanging_resolver", str(hangs)))
    case.send(10)
    case.await_outcomes(10)
    hangs.touch()
    case.database_line.cut()
    case.send(100)

    says(job, r"postgres: connecting has taken [5-9] s so far")
    says(job, "trying again: postgres: connecting got no answer", seconds=40)
    hangs.unlink()
    case.fault_ends()

    case.await_accounted()
    case.stop(job)
    case.check()


def test_hang_of_the_name_server_keeps_no_job_from_stopping(case: FaultCase, tmp_path: Path) -> None:
    hangs = tmp_path / "hangs"
    job = case.start(program=("-m", "tests.faults.hanging_resolver", str(hangs)))
    case.send(10)
    case.await_outcomes(10)
    hangs.touch()
    case.database_line.cut()
    case.send(100)
    says(job, r"postgres: connecting has taken [5-9] s so far")

    assert ends_by(job, signal.SIGTERM) == 75

    assert job.failure().startswith("postgres: connecting got no answer in ")
    goes_on(case)
