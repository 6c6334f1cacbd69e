"""The pool of SDK workers for a cluster whose environment type is EXTERNAL, listening on loopback.

Source: https://beam.apache.org/documentation/runtime/sdk-harness-config/
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from maskline.errors import SetupError
from maskline.pipeline.local.processes import (
    await_listening,
    free_port,
    start_child,
    stop_child,
    stop_child_left_behind,
)

START_SECONDS = 60
STOP_SECONDS = 15
PROGRAM = Path(__file__).with_name("worker_pool_main.py")


class WorkerPool:
    """A pool that starts worker processes on request, and runs while the ``with`` block does.

    Args:
        log: Where the workers' logs go.
        python: The Python that has Beam.
        environment: Variables to set beside those of this process; workers find credentials and passwords here.
        container_executable: Beam's own start program, which installs what a job staged; without it a worker uses
            the packages of `python`.
    """

    def __init__(
        self,
        log: Path,
        python: Path = Path(sys.executable),
        environment: dict[str, str] | None = None,
        container_executable: Path | None = None,
    ) -> None:
        self._log = log
        self._python = python
        self._environment = environment or {}
        self._container_executable = container_executable
        self._port = free_port()

    def __enter__(self) -> WorkerPool:
        """Start the pool and wait until it listens.

        Raises:
            SetupError: It did not start; the message names its log.
        """
        # As a file, for a Python that has Beam alone; its folder is no place to import from (-P).
        command = [str(self._python), "-P", str(PROGRAM), f"--service_port={self._port}"]
        if self._container_executable:
            command.append(f"--container_executable={self._container_executable}")
        # The pool starts workers as bare "python".
        path = f"{self._python.parent}{os.pathsep}{os.environ['PATH']}"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        pid_file = self._log.with_suffix(".pid")
        stop_child_left_behind(pid_file, PROGRAM.name)
        self.process = start_child(command, {**os.environ, **self._environment, "PATH": path}, self._log, pid_file)
        try:
            if not await_listening(self.process, self._port, START_SECONDS):
                raise SetupError(f"flink: the worker pool did not start; see {self._log}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the pool and its workers."""
        stop_child(self.process, STOP_SECONDS)

    @property
    def address(self) -> str:
        """Host and port of the pool, for ``--environment_config``."""
        return f"127.0.0.1:{self._port}"
