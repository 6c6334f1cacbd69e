"""ElasticMQ, an SQS API in Java, quicker than the embedded one and different from it."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import boto3

from pipeline.local.sqs import CREDENTIALS
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT

ELASTICMQ = Path(os.environ.get("ELASTICMQ_LIBRARIES", PROJECT / ".cache" / "elasticmq"))


class ElasticMq:
    """ElasticMQ, while the ``with`` block runs.

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
