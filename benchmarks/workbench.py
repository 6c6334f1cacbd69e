"""The servers of a benchmark on this machine, and a queue, a table and a keyset for each run."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any, Protocol

from benchmarks.messages import USUAL_BYTES
from benchmarks.queries import value_of
from benchmarks.servers.elasticmq import ElasticMq
from benchmarks.servers.stub import StubSqs
from maskline.errors import UsageError
from maskline.keys import create_keyset
from maskline.keys.files import FileKeyset
from maskline.pipeline.local.postgres import DATABASE, OWNERS_TABLE, EmbeddedPostgres
from maskline.pipeline.local.sqs import CREDENTIALS
from maskline.postgres.connection import Connection, connect
from maskline.postgres.schema import Schema

TABLE = "user_logins"
SQS_SERVERS = ("elasticmq", "stub")
ELASTICMQ_MEGABYTES = 768
ELASTICMQ_BYTES_PER_MESSAGE = 4096
ELASTICMQ_COPIES_OF_A_MESSAGE = 3


class SqsServer(Protocol):
    """A server with an SQS API, while its ``with`` block runs."""

    @property
    def endpoint(self) -> str:
        """The URL of the API."""

    @property
    def pid(self) -> int:
        """Its process id."""

    def create_queue(self, name: str) -> str:
        """Create a queue and return its URL."""


class Workbench:
    """Runs Postgres (fsync on, settings as they come) and an SQS server while the ``with`` block does.

    Args:
        sqs: One of `SQS_SERVERS`.
        messages: How many messages a queue will hold, for the memory of ElasticMQ.
        size: The bytes of each.
        distance_milliseconds: How long an answer of the stub takes; SQS takes about 10 ms in its region.

    Raises:
        UsageError: ElasticMQ is to be far away.
    """

    sqs: SqsServer
    postgres: EmbeddedPostgres

    def __init__(
        self,
        sqs: str = SQS_SERVERS[0],
        messages: int = 0,
        size: int = USUAL_BYTES,
        distance_milliseconds: int = 0,
    ) -> None:
        if distance_milliseconds and sqs != "stub":
            raise UsageError(
                f"distance_milliseconds is {distance_milliseconds}: {sqs} is where it is; give --sqs stub, too"
            )
        self._sqs = sqs
        self._distance_milliseconds = distance_milliseconds
        held = messages * (ELASTICMQ_BYTES_PER_MESSAGE + ELASTICMQ_COPIES_OF_A_MESSAGE * size)
        self._heap_megabytes = ELASTICMQ_MEGABYTES + held // 1024**2
        self._parts = contextlib.ExitStack()

    def __enter__(self) -> Workbench:
        """Start the servers, make the table and the keyset.

        Raises:
            SetupError: A server is missing or did not start; the message says what to do.
        """
        os.environ.update(CREDENTIALS)
        with contextlib.ExitStack() as parts:
            directory = Path(
                parts.enter_context(
                    tempfile.TemporaryDirectory(prefix="maskline-benchmark-", ignore_cleanup_errors=True)
                )
            )
            self.sqs = self._start_sqs(parts, directory)
            self.postgres = parts.enter_context(EmbeddedPostgres(directory / "postgres"))
            self.postgres.create_database(DATABASE, OWNERS_TABLE)
            Schema(self.connect).migrate()
            self._keyset = FileKeyset(directory / "keyset.json")
            self._keyset.create(create_keyset())
            self._parts = parts.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the servers and remove their data."""
        self._parts.close()

    def _start_sqs(self, parts: contextlib.ExitStack, directory: Path) -> SqsServer:
        if self._sqs != "elasticmq":
            return parts.enter_context(StubSqs(self._distance_milliseconds))
        return parts.enter_context(ElasticMq(directory, self._heap_megabytes))

    @property
    def dsn(self) -> str:
        """The database."""
        return self.postgres.dsn(DATABASE)

    @property
    def keyset_uri(self) -> str:
        """The keyset's URI."""
        return self._keyset.uri

    @property
    def postgres_pid(self) -> int:
        """The process id of the database server."""
        return int(str(self.value("SELECT pg_read_file('postmaster.pid')")).splitlines()[0])

    def connect(self) -> Connection:
        """Open a connection to the database."""
        return connect(self.dsn)

    def value(self, query: str) -> Any:
        """Return the one value that a query gives."""
        connection = self.connect()
        try:
            return value_of(connection, query)
        finally:
            connection.close()

    def run(self, *statements: str) -> None:
        """Run statements, each a transaction of its own."""
        connection = self.connect()
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        connection.close()

    def new_queue(self) -> str:
        """Create an empty queue and return its URL."""
        return self.sqs.create_queue(f"benchmark-{uuid.uuid4().hex}")

    def empty_table(self) -> None:
        """Remove the rows of earlier runs, and have them written out so that no later checkpoint has to."""
        self.run("TRUNCATE user_logins, rejected_messages, maskline_outcomes", "CHECKPOINT")

    def job(self, queue_url: str, *options: str) -> list[str]:
        """Return the command line of the job, as a user would type it.

        Args:
            queue_url: Its queue.
            options: Options beside those that name its parts.
        """
        parts = (
            f"--queue={queue_url}",
            f"--queue_endpoint={self.sqs.endpoint}",
            f"--postgres={self.dsn}",
            f"--keyset={self.keyset_uri}",
        )
        return [sys.executable, "-m", "pipeline", "run", *parts, *options]

    def environment(self, queue_url: str) -> dict[str, str]:
        """Return the variables by which another program finds the parts; the job has its own for them.

        Args:
            queue_url: Its queue.
        """
        return {
            **CREDENTIALS,
            "AWS_REGION": CREDENTIALS["AWS_DEFAULT_REGION"],
            "QUEUE_URL": queue_url,
            "SQS_ENDPOINT": self.sqs.endpoint,
            "POSTGRES_URL": f"{self.dsn}&sslmode=disable",
            "MASKLINE_QUEUE": queue_url,
            "MASKLINE_QUEUE_ENDPOINT": self.sqs.endpoint,
            "MASKLINE_POSTGRES": self.dsn,
            "MASKLINE_KEYSET": self.keyset_uri,
        }
