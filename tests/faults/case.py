"""A fault case: real parts, a proxy in front of each, the job beside them, and the account at the end."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apache_beam as beam
import boto3
import msgspec

from maskline.keys import KeysetUri
from maskline.pipeline.job import build
from maskline.pipeline.job_settings import JobSettings
from maskline.postgres.connection import Connection
from maskline.postgres.dsn import PostgresDsn
from maskline.sqs import QueueAddress, SqsQueue
from maskline.sqs.receiver import ReceiveSettings
from maskline.streams.definition import load_stream
from tests.awaiting import await_until
from tests.e2e.conftest import Ledger, login
from tests.e2e.job_process import MAX_RUN_SECONDS, JobProcess
from tests.faults.account import Account, account_of, first_outcome_after
from tests.faults.postgres_wire import dsn_through, postgres_proxy
from tests.faults.sqs_proxy import SqsProxy
from tests.faults.tcp_proxy import TcpProxy, tcp_connection
from tests.maskline.postgres.records import connected, rows_of, run, value_of

VISIBILITY_SECONDS = 5
AT_FULL_SPEED = ("--micro_batch_size=500", "--visibility_timeout_seconds=60")
CLEAR_MARKS = ("593-47-", "198.51.")
"""What every login of `tests.e2e.conftest.login` has in its device id and its IP, and no token has."""

OUTCOMES = "SELECT (SELECT count(*) FROM user_logins) + (SELECT count(*) FROM rejected_messages)"

Record = Callable[[str, object], None]


class FaultCase:
    """One case, from the parts to the account.

    Use it as a context manager; then its proxies listen.

    Args:
        queue: The queue itself.
        endpoint: The URL of its API.
        dsn: The database itself.
        keyset: The keyset's URI.
        directory: Where the job's temporary files go.
        record: Keeps the account for the report.
        engine: The options that choose the engine of every job.
    """

    def __init__(
        self,
        queue: SqsQueue,
        endpoint: str,
        dsn: str,
        keyset: str,
        directory: Path,
        record: Record,
        engine: Sequence[str] = (),
    ) -> None:
        self.queue = queue
        self.dsn = dsn
        self.sqs = SqsProxy(endpoint)
        self.queue_line = TcpProxy(lambda: tcp_connection(self.sqs.endpoint))
        self.database_line = postgres_proxy(dsn)
        self.sent: list[str] = []
        self.jobs: list[JobProcess] = []
        self._keyset = keyset
        self._directory = directory
        self._record = record
        self._engine = engine
        self._fault_ended_at: float | None = None
        self._queue_is_gone = False
        self._proxies = contextlib.ExitStack()

    def __enter__(self) -> FaultCase:
        """Put the proxies in place."""
        for proxy in (self.sqs, self.queue_line, self.database_line):
            self._proxies.enter_context(proxy)
        return self

    def __exit__(self, *error: object) -> None:
        """Kill what still runs, and take the proxies away."""
        for job in self.jobs:
            job.kill()
        self._proxies.close()

    def send(self, count: int, *others: str) -> None:
        """Send so many logins, each another user's, and other bodies.

        Args:
            count: How many logins.
            others: The other bodies.
        """
        first = len(self.sent)
        self.sent += self.queue.send([login(number) for number in range(first, first + count)])
        for body in others:  # one a request, for ten large ones are more than SQS takes
            self.sent += self.queue.send([body])

    def send_quickly(self, bodies: Sequence[str]) -> None:
        """Send many bodies, over several connections at once."""
        portions = [bodies[start : start + 500] for start in range(0, len(bodies), 500)]
        with ThreadPoolExecutor(8) as senders:
            for message_ids in senders.map(self.queue.send, portions):
                self.sent += message_ids

    def start(self, *options: str, through_proxies: bool = True, program: Sequence[str] | None = None) -> JobProcess:
        """Start the job.

        Args:
            options: Its options beside those that name its parts.
            through_proxies: Whether the proxies stand between it and its parts.
            program: What Python runs, where it is not the program as it stands.
        """
        temporary = self._directory / "tmp"
        temporary.mkdir(exist_ok=True)
        endpoint = f"http://127.0.0.1:{self.queue_line.port}" if through_proxies else self.sqs.server_endpoint
        job = JobProcess(
            [
                "run",
                f"--queue={self.queue.url}",
                f"--queue_endpoint={endpoint}",
                f"--postgres={dsn_through(self.database_line, self.dsn) if through_proxies else self.dsn}",
                f"--keyset={self._keyset}",
                f"--visibility_timeout_seconds={VISIBILITY_SECONDS}",
                "--micro_batch_size=100",
                *self._engine,
                *options,
            ],
            environment={"TMPDIR": str(temporary)},
            program=program,
        )
        self.jobs.append(job)
        return job

    def run_here(self) -> None:
        """Run the job in this process, without proxies, until the queue is empty."""
        receive = ReceiveSettings(long_poll_seconds=0, micro_batch_seconds=0.05)
        address = QueueAddress(self.queue.url, self.sqs.server_endpoint)
        job = JobSettings(
            load_stream("user_logins"),
            address,
            PostgresDsn.parse(self.dsn),
            KeysetUri.parse(self._keyset),
            receive,
            until_empty=True,
        )
        with beam.Pipeline(runner="FnApiRunner") as pipeline:
            build(pipeline, job)

    def ended_well(self, job: JobProcess, seconds: float = MAX_RUN_SECONDS) -> None:
        """Fail unless a job ends by itself, with exit code 0."""
        assert job.wait(seconds) == 0, job.errors

    def stop(self, job: JobProcess) -> None:
        """Fail unless a job that is asked to stop does so in an orderly way."""
        job.send_signal(signal.SIGTERM)
        self.ended_well(job)

    def delete_queue(self) -> None:
        """Delete the queue itself, with all that is in it."""
        client = boto3.client("sqs", endpoint_url=self.sqs.server_endpoint)
        client.delete_queue(QueueUrl=self.queue.url)
        client.close()
        self._queue_is_gone = True

    def sql(self, *statements: str) -> None:
        """Run statements in the database itself, each a transaction."""
        with connected(self.dsn) as database:
            for statement in statements:
                run(database, statement)

    def outcomes(self) -> int:
        """Count rows and rejections."""
        with connected(self.dsn) as database:
            return int(value_of(database, OUTCOMES))

    def await_outcomes(self, count: int, seconds: float = 60) -> None:
        """Return when so many messages are rows or rejections."""
        await_until(lambda: self.outcomes() >= count, f"{count} messages have an outcome", seconds)

    def await_accounted(self, seconds: float = 90) -> None:
        """Return when the queue is empty; fail unless every message has an outcome then, as only those are deleted."""
        await_until(lambda: self.queue.depth().total == 0, "the queue is empty", seconds)
        outcomes = self.outcomes()
        assert outcomes >= len(self.sent), f"{len(self.sent)} were sent, and {outcomes} have an outcome"

    def fault_ends(self) -> None:
        """Remember when the fault ended, to know how long the job takes to go on."""
        self._fault_ended_at = time.time()

    def check(self) -> Account:
        """Fail unless every message is one row or one rejection, the queue is empty, and nothing is in the clear."""
        depth = 0 if self._queue_is_gone else self.queue.depth().total
        with connected(self.dsn) as database:
            account = account_of(
                self.sent,
                Ledger(database, self.queue),
                in_queue=depth,
                redelivered=self.sqs.redelivered if self.sqs.deliveries else None,
                seconds_to_recover=self._seconds_to_recover(database),
            )
        self._record("account", msgspec.to_builtins(account))
        assert (account.lost, account.doubled, depth) == (0, 0, 0), f"{account}, {depth} in the queue"
        in_the_clear = self.in_the_clear()
        assert not in_the_clear, f"clear personal data in {in_the_clear}"
        return account

    def in_the_clear(self) -> list[str]:
        """Return where clear personal data are that should be nowhere: output, temporary files, tables."""
        found = [f"output of job {job.pid}" for job in self.jobs if is_marked(job.output + job.errors)]
        files = (path for path in self._directory.rglob("*") if path.is_file())
        found += [path.name for path in files if is_marked(path.read_bytes().decode(errors="replace"))]
        return found + [table for table in ("user_logins", "rejected_messages") if any(self._marked_rows(table))]

    def _marked_rows(self, table: str) -> Iterator[str]:
        with connected(self.dsn) as database:
            run(database, "SET bytea_output = escape")
            rows = rows_of(database, f"SELECT record::text FROM {table} AS record")
        return (text for (text,) in rows if is_marked(text))

    def _seconds_to_recover(self, database: Connection) -> float | None:
        struck_at = [moment for moment in (self.sqs.struck_at, self.database_line.struck_at) if moment is not None]
        ended_at = self._fault_ended_at or max(struck_at, default=None)
        recovered_at = ended_at and first_outcome_after(database, ended_at)
        return recovered_at - ended_at if recovered_at and ended_at else None


def is_marked(text: str) -> bool:
    """Say whether a text holds clear personal data of a login of the case."""
    return any(mark in text for mark in CLEAR_MARKS)
