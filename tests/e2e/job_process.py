"""The job as a child process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).parents[2]
LONGEST_RUN_SECONDS = 90


class JobProcess:
    """``python -m pipeline`` with arguments, started at once.

    Args:
        arguments: The command line without the program.
        environment: Variables to set beside those of the test.
    """

    def __init__(self, arguments: Sequence[str], environment: dict[str, str] | None = None) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.output = ""
        self.errors = ""

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def is_running(self) -> bool:
        """Say whether it still runs."""
        return self._process.poll() is None

    def wait(self) -> int:
        """Wait for its end, keep what it printed, and return its exit code."""
        try:
            self.output, self.errors = self._process.communicate(timeout=LONGEST_RUN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.output, self.errors = self._process.communicate()
            raise AssertionError(f"the job did not end in time; it printed: {self.output}{self.errors}") from None
        return self._process.returncode

    def kill(self) -> None:
        """Kill it, if it still runs."""
        if self.is_running():
            self._process.kill()
        self._process.communicate()
