"""An embedded SQS API over HTTP (``ministack``), bound to loopback, in a process of its own."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3

from maskline.errors import SetupError
from maskline.pipeline.local.processes import free_port, running_process, stop_child, stop_process

START_SECONDS = 60
STOP_SECONDS = 10

STARTS = 3
"""How often starting a server on any free port is tried: another process may take the port in between."""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}
"""What the embedded API takes: any credentials. Set in the environment, they keep real ones from being looked up."""


class EmbeddedSqs:
    """An SQS API that runs while the ``with`` block does.

    Stopped in an orderly way it writes its queues to `state_directory` and finds them there the next time. A server
    that an earlier process left behind, killed before it could stop it, is stopped first, in that orderly way.

    Args:
        state_directory: Where queues are kept between runs, or None to forget them. One process at a time: see
            `LocalDirectory`.
    """

    def __init__(self, state_directory: Path | None = None) -> None:
        self._state_directory = state_directory

    def __enter__(self) -> EmbeddedSqs:
        """Start the server and wait until it answers.

        Raises:
            SetupError: It did not start.
        """
        self._prepare_state()
        for _ in range(1 if self._state_directory else STARTS):
            self._start()
            try:
                if self._await_answer():
                    return self
            except BaseException:
                self.__exit__()
                raise
            self.__exit__()
        raise SetupError(f"local: the embedded SQS API did not start on port {self._port}; is it in use?")

    def _start(self) -> None:
        self._port = self._choose_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={**os.environ, **self._settings()},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # a Ctrl-C is for the job, which still has messages to delete
        )
        if self._state_directory is not None:
            (self._state_directory / "pid").write_text(str(self._process.pid))

    def _await_answer(self) -> bool:
        give_up = time.monotonic() + START_SECONDS
        while self._process.poll() is None and time.monotonic() < give_up:
            if self._answers() and self._process.poll() is None:
                return True
            time.sleep(0.05)
        return False

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        stop_child(self._process, STOP_SECONDS)

    @staticmethod
    def stop_left_behind(state_directory: Path) -> None:
        """Stop a server that an earlier process left running; it keeps its queues.

        Args:
            state_directory: Where it keeps them.
        """
        try:
            pid = int((state_directory / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return
        left_behind = running_process(pid, "ministack")
        if left_behind is not None:
            stop_process(left_behind, signal.SIGTERM)

    @property
    def endpoint(self) -> str:
        """The URL of the API."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of the server."""
        return self._process.pid

    def create_queue(self, name: str, attributes: Mapping[str, str] | None = None) -> str:
        """Create a queue; see `create_queue`."""
        return create_queue(self.endpoint, name, attributes)

    def _prepare_state(self) -> None:
        if self._state_directory is not None:
            self._state_directory.mkdir(parents=True, exist_ok=True)
            self._state_directory.chmod(0o700)
            self.stop_left_behind(self._state_directory)

    def _choose_port(self) -> int:
        """Take a free port, the same in every run on one directory: ministack keeps queues by their whole URL."""
        if self._state_directory is None:
            return free_port()
        remembered = self._state_directory / "port"
        if not remembered.exists() or not remembered.read_text():
            remembered.write_text(str(free_port()))
        return int(remembered.read_text())

    def _settings(self) -> dict[str, str]:
        settings = {
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "SERVICES": "sqs",
            "LOG_LEVEL": "ERROR",
            "SFTP_ENABLED": "0",
            "IOT_MTLS_ENABLED": "0",
        }
        if self._state_directory is not None:
            settings |= {"PERSIST_STATE": "1", "STATE_DIR": str(self._state_directory)}
        return settings

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=1)
        try:
            connection.request("GET", "/_ministack/health")
            return b'"sqs"' in connection.getresponse().read()
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def local_client(service: str, endpoint: str) -> Any:
    """Make a boto3 client of an API on this machine that takes any credentials, whatever the environment says.

    Args:
        service: ``sqs``, for example.
        endpoint: The URL of the API.
    """
    session = boto3.session.Session(
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
    )
    return session.client(service, endpoint_url=endpoint)


def create_queue(endpoint: str, name: str, attributes: Mapping[str, str] | None = None) -> str:
    """Create a queue, if there is none of that name, and return its URL.

    Args:
        endpoint: The URL of an SQS API on this machine.
        name: The name of the queue.
        attributes: Its attributes, by the names of SQS.
    """
    with contextlib.closing(local_client("sqs", endpoint)) as client:
        return str(client.create_queue(QueueName=name, Attributes=dict(attributes or {}))["QueueUrl"])
