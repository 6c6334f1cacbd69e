"""``run_flink.sh``: a newcomer sees the job on a real Flink cluster, every message accounted for."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from maskline.pipeline.local.processes import running_process
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT, JobProcess
from tests.flink.submitted_job import FLINK, JOB_SERVER, takes_flink

MESSAGES = 700

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(shutil.which("java") is None, reason="Flink takes Java, which is not installed"),
    pytest.mark.skipif(shutil.which("mvn") is None, reason="Maven, which builds Beam's job server, is not installed"),
]


def test_every_message_that_was_sent_is_accounted_for_and_nothing_is_left_running(tmp_path: Path) -> None:
    run = subprocess.run(
        [PROJECT / "run_flink.sh", f"--messages={MESSAGES}", f"--data_directory={tmp_path / 'data'}"],
        capture_output=True,
        text=True,
        check=False,
    )

    summary = run.stdout.partition("Summary")[2].replace(" ", "")
    counts = dict(line.strip("│").split("│") for line in summary.splitlines() if "│" in line)
    assert run.returncode == 0, run.stderr
    assert re.search(r"http://127\.0\.0\.1:\d+/#/job/running/[0-9a-f]{32}/overview", run.stdout)
    assert {name: counts[name] for name in ("received", "written", "duplicates", "rejected", "deleted")} == {
        "received": "700",
        "written": "693",
        "duplicates": "0",
        "rejected": "7",
        "deleted": "700",
    }
    assert _left_running(tmp_path) == []


@takes_flink
def test_a_sigterm_ends_it_in_an_orderly_way_and_nothing_is_left_running(tmp_path: Path) -> None:
    run = JobProcess(
        [
            "flink",
            f"--data_directory={tmp_path / 'data'}",
            f"--flink_home={FLINK}",
            f"--flink_job_server_jar={JOB_SERVER}",
        ]
    )
    try:
        await_until(lambda: "Sending sample messages" in run.printed() or not run.is_running(), "it runs", seconds=400)
        assert run.is_running(), run.wait() and run.errors
        started = psutil.Process(run.pid).children(recursive=True)

        run.send_signal(signal.SIGTERM)

        assert run.wait() == 0, run.errors
    finally:
        run.kill()
    assert "Summary" in run.output
    assert "Traceback" not in run.errors
    assert len(started) > 3, "the cluster, the pool of workers, the job server"
    assert [process for process in started if running_process(process.pid, "")] == []
    assert _left_running(tmp_path) == []


def _left_running(directory: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if str(directory) in " ".join(_command_line(process))]


def _command_line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
