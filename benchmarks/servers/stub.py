"""The stub: an SQS API that answers at once, so that what is measured is the client."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.sqs_requests import SqsRequests
from maskline.errors import SetupError
from maskline.pipeline.local.processes import await_listening, free_port, stop_child

PROJECT = Path(__file__).parents[2]
START_SECONDS = 30


class StubSqs:
    """The stub in a process of its own, while the ``with`` block runs.

    Args:
        milliseconds: How long an answer takes.
    """

    def __init__(self, milliseconds: int = 0) -> None:
        self._milliseconds = milliseconds

    def __enter__(self) -> StubSqs:
        """Start it, and wait until it listens.

        Raises:
            SetupError: It did not start.
        """
        self._port = free_port()
        self._process = subprocess.Popen(  # noqa: S603 - the command is ours
            [sys.executable, "-m", "benchmarks.servers.stub_server", str(self._port), str(self._milliseconds)],
            cwd=PROJECT,
            stdin=subprocess.PIPE,  # ends with this process, however that ends, and the server with it
            start_new_session=True,  # a Ctrl-C is for the job in front of it
        )
        if not await_listening(self._process, self._port, START_SECONDS):
            self.__exit__()
            raise SetupError(f"the stub of SQS did not start on port {self._port}")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        stop_child(self._process, 5)
        if self._process.stdin is not None:
            self._process.stdin.close()

    @property
    def endpoint(self) -> str:
        """The URL of its API."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def create_queue(self, name: str) -> str:
        """Create a queue and return its URL."""
        with SqsRequests(self.endpoint) as requests:
            return str(requests.call("CreateQueue", {"QueueName": name})["QueueUrl"])
