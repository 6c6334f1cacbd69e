"""The job as a child process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tests.e2e.fork_server import ForkedJob, fork_server

PROJECT = Path(__file__).parents[2]
MAX_RUN_SECONDS = 120
MAX_PRINTED = 1_000_000
MODULE = ("-m", "pipeline")


class JobProcess:
    """``python -m pipeline`` with arguments, started at once.

    Args:
        arguments: The command line without the program.
        environment: Variables to set beside those of the test.
        program: What a new Python runs. If None, the program is forked, which takes a tenth of the CPU.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: dict[str, str] | None = None,
        program: Sequence[str] | None = None,
    ) -> None:
        # Files, for a pipe that nobody reads would stop a job that says much.
        self._output, self._errors = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115 - read at its end
        environment = {**os.environ, **(environment or {})}
        self._process: ForkedJob | subprocess.Popen[str]
        if program is None:
            self._process = fork_server().start(arguments, environment, self._output, self._errors)
        else:
            self._process = subprocess.Popen(
                [sys.executable, *program, *arguments],
                cwd=PROJECT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=self._errors,
                text=True,
            )
        self.output = ""
        self.errors = ""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def errors_so_far(self) -> str:
        """Return what it has written to standard error while it runs."""
        # By a file description of our own: where this one stands is where the job writes next.
        return Path(f"/proc/self/fd/{self._errors.fileno()}").read_text()

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def is_running(self) -> bool:
        """Say whether it still runs."""
        return self._process.poll() is None

    def printed(self) -> str:
        """Return what it has printed so far: its output, and then its errors."""
        # Read at a place: to seek would move the child's own place in the files.
        files = [os.pread(file.fileno(), MAX_PRINTED, 0) for file in (self._output, self._errors)]
        return b"".join(files).decode()

    def wait(self, seconds: float = MAX_RUN_SECONDS) -> int:
        """Wait for its end, keep what it printed, and return its exit code."""
        try:
            exit_code = self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the job did not end in time; it printed: {self.output}{self.errors}") from None
        self._keep_output()
        return exit_code

    def failure(self) -> str:
        """Return why it says that it failed: its last line, a record of level ERROR that has its exit code."""
        lines = self.errors.splitlines()
        last = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        assert (last.get("level"), last.get("exit_code")) == ("ERROR", self._process.returncode), self.errors
        return str(last["event"])

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self.is_running():
            self._process.kill()
        self._process.wait()
        self._keep_output()

    def _keep_output(self) -> None:
        if not self._output.closed:
            self.output, self.errors = _read_and_close(self._output), _read_and_close(self._errors)


def _read_and_close(file: IO[str]) -> str:
    with file:
        file.seek(0)
        return file.read()
