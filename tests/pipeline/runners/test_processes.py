"""The job in several processes: what they do together, and that the failure of one is the run's."""

from __future__ import annotations

import io

import msgspec
import pytest
from rich.console import Console

from maskline.errors import KeysetError
from maskline.keys import KeysetUri
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.runners.in_process import RunResult
from maskline.pipeline.runners.processes import run_processes, waiting_workers
from maskline.postgres.connection import Connection
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from tests.e2e.conftest import Ledger, login

CONSOLE = Console(file=io.StringIO())


@pytest.fixture
def job(user_logins: StreamDefinition, queue_address: QueueAddress, dsn: str, keyset_uri: str) -> JobSettings:
    receive = ReceiveSettings(micro_batch_size=10, long_poll_seconds=1, micro_batch_seconds=0.05)
    return JobSettings(
        user_logins, queue_address, PostgresDsn.parse(dsn), KeysetUri.parse(keyset_uri), receive, until_empty=True
    )


def run(job: JobSettings) -> RunResult:
    # Where tests have left threads, a fork would be none of what a job starts with.
    with waiting_workers(job, [], 2, "warning", start_method="spawn") as workers:
        return run_processes(workers, CONSOLE)


def test_two_processes_share_the_messages_and_their_counts_add_up(
    job: JobSettings, queue: SqsQueue, database: Connection
) -> None:
    sent = queue.send([*(login(number) for number in range(100)), "not JSON"])

    ran = run(job)

    assert (ran.counts.received, ran.counts.written, ran.counts.deleted) == (101, 100, 101)
    assert ran.counts.rejected_by_reason == {"not_json": 1}
    assert not ran.was_stopped
    Ledger(database, queue).check(sent)


@pytest.mark.slow
def test_the_error_of_a_process_comes_out_as_it_is(job: JobSettings) -> None:
    broken = msgspec.structs.replace(job, keyset=KeysetUri.parse("env:NOT_SET_ANYWHERE"))

    with pytest.raises(KeysetError, match="NOT_SET_ANYWHERE is not set"):
        run(broken)
