"""A command that kills itself at a step: ``python -m tests.pipeline.commands.killed_command STEP COMMAND …``."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys

from maskline.pipeline import cli
from tests.e2e.job_process import PROJECT


class _Killer(logging.Handler):
    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    def emit(self, record: logging.LogRecord) -> None:
        if record.getMessage() == self._step:
            os.kill(os.getpid(), signal.SIGKILL)


def kill_at(step: str, arguments: list[str]) -> None:
    """Run a command in a process of its own, which kills itself when it logs a step; it has to come so far.

    Args:
        step: What the command logs when it has done the step.
        arguments: The command and its options.
    """
    command = [sys.executable, "-m", "tests.pipeline.commands.killed_command", step, *arguments]
    child = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert child.returncode == -signal.SIGKILL, (step, child.stdout, child.stderr)


def main(step: str, *arguments: str) -> int:
    """Run the command, and never come to the end."""
    for name in ("maskline", "pipeline"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(_Killer(step))
    return cli.main(list(arguments))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
