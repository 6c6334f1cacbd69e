"""A process that has imported what a job needs, and forks the jobs of the tests from itself.

To import Beam takes more than two seconds of a core, and the tests start hundreds of jobs. One that is forked runs
``python -m pipeline`` from its first line to Python's own end, with the arguments, environment and files of its own.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

PROJECT = Path(__file__).parents[2]
MAX_REQUEST_BYTES = 200_000
MAX_START_SECONDS = 120
IMPORTED = (
    "maskline.pipeline.commands.run",
    "apache_beam.runners.portability.fn_api_runner.fn_runner",
    "apache_beam.runners.portability.prism_runner",
)


class ForkedJob:
    """A job that was forked, with the methods of `subprocess.Popen` that tests use.

    Args:
        status: Where the server says its process id, and when it has ended its exit code.
    """

    def __init__(self, status: socket.socket) -> None:
        self.returncode: int | None = None
        self._status = status
        self._status.settimeout(MAX_START_SECONDS)
        self.pid = self._read()

    def poll(self) -> int | None:
        """Return the exit code, or None while it runs."""
        if self.returncode is None:
            try:
                self.wait(0)
            except subprocess.TimeoutExpired:
                return None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return the exit code: that of the signal that killed it, negative, if one did."""
        if self.returncode is None:
            self._status.settimeout(timeout)
            try:
                self.returncode = self._read()
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("a forked job", timeout or 0) from None
            self._status.close()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill it, if it still runs."""
        self.send_signal(signal.SIGKILL)

    def _read(self) -> int:
        said = self._status.recv(64)
        assert said, "the fork server has ended"
        return int(said)


class ForkServer:
    """The server, as the tests see it."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                cwd=PROJECT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )

    def start(
        self, arguments: Sequence[str], environment: Mapping[str, str], output: IO[str], errors: IO[str]
    ) -> ForkedJob:
        """Start ``python -m pipeline``.

        Args:
            arguments: The command line without the program.
            environment: All of its environment.
            output: Where its standard output goes.
            errors: Where its standard error goes.
        """
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        assert len(request) < MAX_REQUEST_BYTES
        status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            socket.send_fds(self._requests, [request], [output.fileno(), errors.fileno(), theirs.fileno()])
        return ForkedJob(status)

    def close(self) -> None:
        """End it."""
        self._requests.close()
        self.returncode = self._process.wait()


@functools.cache
def fork_server() -> ForkServer:
    """Return the one server of this process, which ends with it."""
    server = ForkServer()
    atexit.register(server.close)
    return server


class _Request:
    def __init__(self, request: bytes, output: int, errors: int) -> None:
        self._content: dict[str, Any] = json.loads(request)
        self._files = (output, errors)

    def run(self) -> None:
        for file, standard in zip(self._files, (sys.stdout, sys.stderr), strict=True):
            os.dup2(file, standard.fileno())
            os.close(file)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.environ.clear()
        os.environ.update(self._content["environment"])
        time.tzset()
        tempfile.tempdir = None  # what an import may have found is of the server's own environment
        sys.argv[1:] = self._content["arguments"]
        runpy.run_module("pipeline", run_name="__main__", alter_sys=True)


def _serve(requests: socket.socket) -> _Request | None:
    """Fork a process for each request: that one returns with the request, this one with None, once the tests end."""
    running: dict[int, tuple[int, socket.socket]] = {}
    with requests, selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fd in running:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pid, status = running.pop(key.fd)
                    _, how = os.waitpid(pid, 0)
                    with status:
                        status.send(b"%d" % os.waitstatus_to_exitcode(how))
                    continue
                request, files, _, _ = socket.recv_fds(requests, MAX_REQUEST_BYTES, 3)
                if not request:
                    return None
                status = socket.socket(fileno=files.pop())
                pid = os.fork()
                if pid == 0:
                    for process, (_, status_of_another) in running.items():
                        os.close(process)
                        status_of_another.close()
                    status.close()
                    return _Request(request, *files)
                for file in files:
                    os.close(file)
                status.send(b"%d" % pid)
                process = os.pidfd_open(pid)
                running[process] = (pid, status)
                selector.register(process, selectors.EVENT_READ)


def main() -> None:
    """Serve; in a process that was forked, run the job."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, which then close their end
    from maskline.pipeline.hidden_packages import UNUSED_BY_A_JOB, hidden_packages
    from maskline.pipeline.logs import configure_logging

    configure_logging()
    with hidden_packages(UNUSED_BY_A_JOB):  # as the program has it
        for module in IMPORTED:
            importlib.import_module(module)
    gc.freeze()
    request = _serve(socket.socket(fileno=int(sys.argv[1])))
    if request is not None:
        request.run()


if __name__ == "__main__":
    main()
