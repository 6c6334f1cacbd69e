"""A job ready to start, and a ledger to check it by."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import apache_beam as beam
import pytest

from maskline.keys import KeysetUri
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.connection import Connection
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import StreamDefinition
from maskline.transforms.run_context import RunContext
from tests.e2e.job_process import JobProcess
from tests.e2e.queue_of_streams import QueueOfStreams

StartJob = Callable[..., JobProcess]
RunHere = Callable[[], RunContext]


@pytest.fixture
def job_options(dsn: str, queue_address: QueueAddress, keyset_uri: str) -> list[str]:
    """The options that name the test's own queue, database and keyset."""
    return [
        f"--postgres={dsn}",
        f"--queue={queue_address.queue}",
        f"--queue_endpoint={queue_address.endpoint}",
        f"--keyset={keyset_uri}",
    ]


@pytest.fixture
def start_job(job_options: list[str]) -> Iterator[StartJob]:
    """Start ``run`` with the test's own parts; what still runs at the end is killed."""
    started: list[JobProcess] = []

    def start(*options: str, command: str = "run", program: Sequence[str] | None = None) -> JobProcess:
        started.append(JobProcess([command, *job_options, *options], program=program))
        return started[-1]

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def run_here(user_logins: StreamDefinition, queue_address: QueueAddress, dsn: str, keyset_uri: str) -> RunHere:
    """Run the job in this process until the queue is empty, with polls that do not wait."""
    receive = ReceiveSettings(long_poll_seconds=0, micro_batch_seconds=0.05)
    job = JobSettings(
        user_logins, queue_address, PostgresDsn.parse(dsn), KeysetUri.parse(keyset_uri), receive, until_empty=True
    )

    def run() -> RunContext:
        context = RunContext(tracks_in_flight=True)
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            build(pipeline, job, context)
        return context

    return run


@pytest.fixture
def queue_of_streams(
    queue_address: QueueAddress, dsn: str, keyset_uri: str, tmp_path: Path, database: Connection
) -> QueueOfStreams:
    """The test's own queue and database, ready for definitions."""
    return QueueOfStreams(queue_address, dsn, keyset_uri, tmp_path, database)


class Ledger:
    """What became of the messages of a test."""

    def __init__(self, database: Connection, queue: SqsQueue) -> None:
        self._database = database
        self._queue = queue

    def rows(self, table: str = "user_logins") -> list[str]:
        """Return the message ids of all rows."""
        return self._message_ids(table)

    def rejections(self) -> list[str]:
        """Return the message ids of all rejections."""
        return self._message_ids("rejected_messages")

    def check(self, sent: list[str], table: str = "user_logins") -> None:
        """Fail unless every message sent is exactly one row or one rejection, and the queue is empty."""
        assert sorted(self.rows(table) + self.rejections()) == sorted(sent)
        assert self._queue.depth().total == 0

    def _message_ids(self, table: str) -> list[str]:
        with self._database.cursor() as cursor:
            cursor.execute(f"SELECT message_id::text FROM {table}")
            return [message_id for (message_id,) in cursor]


@pytest.fixture
def ledger(database: Connection, queue: SqsQueue) -> Ledger:
    """The ledger of the test's own queue and database."""
    return Ledger(database, queue)


def login(number: int = 0, **changes: object) -> str:
    """Return the body of a login, each number another user, with fields changed."""
    fields: dict[str, object] = {
        "user_id": str(uuid.UUID(int=number)),
        "app_version": "2.3.0",
        "device_type": "android",
        "ip": f"198.51.{number // 250 % 250}.{number % 250}",
        "locale": "RU",
        "device_id": f"593-47-{number:04}",
    }
    return json.dumps(fields | changes)


WRONG_TYPE = '{"foo": "oops_wrong_msg_type", "bar": "123"}'
