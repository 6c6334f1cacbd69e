"""Processes left behind are recognized, and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from maskline.pipeline.local.processes import (
    free_port,
    is_listening,
    running_process,
    start_child,
    stop_child,
    stop_child_left_behind,
    stop_process,
)
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
    monkeypatch.setattr("maskline.pipeline.local.processes.STOP_SECONDS", 0)
    process = started("signal.signal(signal.SIGTERM, signal.SIG_IGN)")
    running = running_process(process.pid, "signal.pause")
    assert running is not None

    stop_process(running, signal.SIGTERM)

    process.communicate()
    assert process.returncode == -signal.SIGKILL


WITH_A_CHILD = (
    "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import signal; signal.pause()', 'of mine'])"
)


@pytest.fixture
def family(tmp_path: Path) -> subprocess.Popen[bytes]:
    """A child with a child of its own."""
    command = [sys.executable, "-c", WITH_A_CHILD, "of mine"]
    process = start_child(command, dict(os.environ), tmp_path / "log.txt", tmp_path / "child.pid")
    await_until(lambda: len(psutil.Process(process.pid).children()) == 1, "the child has a child")
    return process


def test_a_child_is_stopped_with_all_that_it_started(family: subprocess.Popen[bytes]) -> None:
    (grandchild,) = psutil.Process(family.pid).children()

    stop_child(family, 5)

    assert family.poll() is not None
    await_until(lambda: running_process(grandchild.pid, "of mine") is None, "its child has ended, too")


def test_a_child_left_behind_is_killed_with_all_that_it_started(
    family: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    (grandchild,) = psutil.Process(family.pid).children()

    stop_child_left_behind(tmp_path / "child.pid", "of mine")

    assert family.wait() == -signal.SIGKILL
    await_until(lambda: running_process(grandchild.pid, "of mine") is None, "its child has ended, too")
    assert not (tmp_path / "child.pid").exists()


def test_another_program_with_the_process_id_of_a_child_is_left_alone(
    family: subprocess.Popen[bytes], tmp_path: Path
) -> None:
    stop_child_left_behind(tmp_path / "child.pid", "another program")

    assert family.poll() is None
    stop_child(family, 5)


def test_a_free_port_can_be_listened_on_and_then_somebody_listens() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen()

        assert is_listening(listener.getsockname()[1])
