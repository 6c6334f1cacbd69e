"""Servers that faults need, beside those that every test has: ElasticMQ, and a Postgres to stop and start."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import boto3
import psycopg2

from pipeline.local.postgres import EmbeddedPostgres
from pipeline.local.sqs import CREDENTIALS
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT

ELASTICMQ = Path(os.environ.get("ELASTICMQ_LIBRARIES", PROJECT / ".cache" / "elasticmq"))
POSTGRES_PORT = 5432


class ElasticMq:
    """An SQS API in Java, quicker than the embedded one and different from it, while the ``with`` block runs.

    Args:
        directory: Where its configuration and its log go.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def __enter__(self) -> ElasticMq:
        """Start it, and wait until it answers."""
        self._port = free_port()
        configuration = self._directory / "elasticmq.conf"
        configuration.write_text(_CONFIGURATION.format(port=self._port))
        logging = self._directory / "logback.xml"
        logging.write_text("<configuration/>")
        with (self._directory / "elasticmq.log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    "java",
                    "-Xmx768m",
                    f"-Dconfig.file={configuration}",
                    f"-Dlogback.configurationFile={logging}",
                    "-cp",
                    f"{ELASTICMQ}/*",
                    "org.elasticmq.server.Main",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        await_until(lambda: is_listening(self._port), "ElasticMQ listens")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    @property
    def endpoint(self) -> str:
        """The URL of its API."""
        return f"http://127.0.0.1:{self._port}"

    def create_queue(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        """Create a queue and return its URL."""
        client = boto3.session.Session(
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
        ).client("sqs", endpoint_url=self.endpoint)
        url = client.create_queue(QueueName=name, Attributes=dict(attributes or {}))["QueueUrl"]
        client.close()
        return str(url)


class OwnPostgres:
    """An embedded Postgres that stops and starts when told; its data stay.

    Args:
        directory: Where its data are.
    """

    def __init__(self, directory: Path) -> None:
        self._data = directory / "data"

    def __enter__(self) -> OwnPostgres:
        """Make it and start it."""
        self._server = EmbeddedPostgres(self._data).__enter__()
        self._control = self._server.psql.with_name("pg_ctl")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self.stop("immediate")
        self._server.__exit__(kind, error, traceback)

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._data / "log"

    @property
    def owner(self) -> int:
        """The id of the user it runs as: started by root, another one."""
        return self._data.stat().st_uid

    def dsn(self, database: str) -> str:
        """Return the data source name of one of its databases."""
        return self._server.dsn(database)

    def stop(self, mode: str) -> None:
        """Stop it.

        Args:
            mode: ``fast`` ends sessions in an orderly way, ``immediate`` as a crash does.
        """
        self._pg_ctl("stop", "-m", mode)

    def start(self) -> None:
        """Start it again, with the options of the first time."""
        options = (self._data / "postmaster.opts").read_text().partition(" ")[2].strip()
        self._pg_ctl("start", "-l", str(self.log), "-o", options)

    def _pg_ctl(self, command: str, *options: str) -> None:
        subprocess.run(
            [self._control, command, "-w", "-D", self._data, *options],
            user=self.owner,
            check=command == "start",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def answers(dsn: str) -> bool:
    """Say whether a database takes connections."""
    try:
        psycopg2.connect(dsn).close()
    except psycopg2.OperationalError:
        return False
    return True


def is_listening(port: int) -> bool:
    """Say whether somebody listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """Return a port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


_CONFIGURATION = """
include classpath("application.conf")
node-address {{ protocol = http, host = "127.0.0.1", port = {port}, context-path = "" }}
rest-sqs {{ enabled = true, bind-port = {port}, bind-hostname = "127.0.0.1", sqs-limits = strict }}
rest-stats {{ enabled = false }}
generate-node-address = false
queues {{}}
queues-storage {{ enabled = false }}
messages-storage {{ enabled = false }}
aws {{ region = us-east-1, accountId = 000000000000 }}
"""
