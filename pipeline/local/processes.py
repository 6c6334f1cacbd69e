"""Processes of a local run: their ports, their end, and those that an earlier run has left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import psutil

STOP_SECONDS = 20


def running_process(pid: int, name: str) -> psutil.Process | None:
    """Return a process if it runs and its command line names a program; process ids are used again.

    Args:
        pid: The process id.
        name: What its command line must contain.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not any(name in word for word in process.cmdline()):
            return None
    except psutil.NoSuchProcess:
        return None
    return process


def stop_process(process: psutil.Process, how: signal.Signals) -> None:
    """Ask a process to stop, and wait until it has; kill it if it does not.

    Args:
        process: The process. It need not be a child of this one, and may stay a zombie where nobody reaps it.
        how: The signal that asks it.
    """
    process.send_signal(how)
    give_up = time.monotonic() + STOP_SECONDS
    while running_process(process.pid, "") is not None:
        if time.monotonic() > give_up:
            process.kill()
        time.sleep(0.05)


def free_port() -> int:
    """Return a free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_listening(port: int) -> bool:
    """Return whether a process listens on a port of loopback.

    Args:
        port: The port.
    """
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def await_listening(process: subprocess.Popen[bytes], port: int, seconds: float) -> bool:
    """Wait until somebody listens on a port of loopback, and return True; return False if a process did not come to it.

    Args:
        process: The process that is to listen. The wait ends with it.
        port: The port.
        seconds: How long to wait.
    """
    give_up = time.monotonic() + seconds
    while not is_listening(port):
        if process.poll() is not None or time.monotonic() > give_up:
            return False
        time.sleep(0.02)
    return True


def stop_child(process: subprocess.Popen[bytes], seconds: float) -> None:
    """Stop a child that leads its own session: terminate it, wait, and kill what is left of the session.

    Args:
        process: The child, started with ``start_new_session``; it may have ended.
        seconds: How long to wait.
    """
    if process.poll() is None:
        process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def start_child(command: list[str], environment: dict[str, str], log: Path, pid_file: Path) -> subprocess.Popen[bytes]:
    """Start a child that leads its own session, so that a Ctrl-C does not reach it, and remember its process id.

    Args:
        command: The command line.
        environment: All its variables.
        log: The file that gets what it prints.
        pid_file: The file that remembers it, for `stop_child_left_behind`.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the callers' own commands
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    pid_file.write_text(str(process.pid))
    return process


def stop_child_left_behind(pid_file: Path, name: str) -> None:
    """Kill what is left of the session of a child that an earlier run was killed before it could stop.

    Args:
        pid_file: The file that remembers it, or none.
        name: What the child's command line must contain; process ids are used again.
    """
    try:
        pid = int(pid_file.read_text())
    except (FileNotFoundError, ValueError):
        return
    if running_process(pid, name) is not None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)
    pid_file.unlink()
