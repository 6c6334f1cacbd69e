"""Processes that an earlier run, killed before it could, did not stop."""

from __future__ import annotations

import signal
import time

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
