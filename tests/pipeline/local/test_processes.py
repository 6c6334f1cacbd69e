"""Processes left behind are recognised, and stopped."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from pipeline.local.processes import running_process, stop_process
from tests.awaiting import await_until

READY = "import signal, sys; {setup}; print('ready', flush=True); signal.pause()"


def started(setup: str = "pass") -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", READY.format(setup=setup)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_process_is_known_by_its_command_line() -> None:
    process = started()

    assert running_process(process.pid, "signal.pause") is not None
    assert running_process(process.pid, "another program") is None

    process.kill()
    process.communicate()
    assert running_process(process.pid, "signal.pause") is None


def test_a_zombie_does_not_run() -> None:
    process = started()

    process.kill()

    await_until(lambda: running_process(process.pid, "signal.pause") is None, "it is a zombie that nobody reaped")
    process.communicate()


def test_a_process_is_asked_to_stop() -> None:
    process = started()
    running = running_process(process.pid, "signal.pause")
    assert running is not None

    stop_process(running, signal.SIGTERM)

    process.communicate()
    assert process.returncode == -signal.SIGTERM


def test_one_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.local.processes.STOP_SECONDS", 0)
    process = started("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    running = running_process(process.pid, "signal.pause")
    assert running is not None

    stop_process(running, signal.SIGTERM)

    process.communicate()
    assert process.returncode == -signal.SIGKILL
