"""A forked job is what a new Python makes of ``python -m pipeline``."""

from __future__ import annotations

import json
import signal
import socket
from typing import Any

import pytest

from tests.e2e.fork_server import ForkServer
from tests.e2e.job_process import MODULE, JobProcess

OF_ONE_PROCESS = ("time", "process")


def said(job: JobProcess) -> tuple[int, str, list[dict[str, Any]]]:
    """Return the exit code of a job that ends by itself, its output, and its log but for what no two have alike."""
    exit_code = job.wait()
    records = [json.loads(line) for line in job.errors.splitlines()]
    return exit_code, job.output, [{key: record[key] for key in record.keys() - OF_ONE_PROCESS} for record in records]


@pytest.mark.parametrize(("arguments", "exit_code"), [(["--version"], 0), (["check"], 2)], ids=["0", "2"])
def test_it_says_and_returns_the_same(arguments: list[str], exit_code: int) -> None:
    environment = {"MASKLINE_NOTHING": "1", "COLUMNS": "90"}

    forked = said(JobProcess(arguments, environment))

    assert forked == said(JobProcess(arguments, environment, program=MODULE))
    assert forked[0] == exit_code


def test_a_signal_that_ends_it_is_its_exit_code() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job = JobProcess(["migrate", f"--postgres=postgresql://postgres@127.0.0.1:{silent.getsockname()[1]}/none"])

        job.send_signal(signal.SIGKILL)

        assert job.wait() == -signal.SIGKILL
    assert not job.is_running()


def test_its_environment_is_all_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKLINE_NOTHING", "1")
    JobProcess(["--version"]).wait()
    monkeypatch.delenv("MASKLINE_NOTHING")

    job = JobProcess(["check"])

    assert job.wait() == 2
    assert "MASKLINE_NOTHING" not in job.errors


@pytest.mark.slow
def test_the_server_ends_with_the_tests() -> None:
    server = ForkServer()

    server.close()

    assert server.returncode == 0
