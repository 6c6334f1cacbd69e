"""The launcher of docs/dataflow.md runs: here on FnApiRunner, for there is no Dataflow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from maskline.sqs import SqsQueue
from tests.documents import blocks, user_environment
from tests.e2e.conftest import Ledger, login
from tests.e2e.job_process import PROJECT


@pytest.mark.slow
def test_the_launcher_of_a_flex_template_builds_and_runs_the_job(
    tmp_path: Path, job_options: list[str], queue: SqsQueue, ledger: Ledger
) -> None:
    (launcher,) = blocks((PROJECT / "docs" / "dataflow.md").read_text(), "python")
    program = tmp_path / "launcher.py"
    program.write_text(launcher)
    sent = queue.send([login(1), "not JSON"])

    result = subprocess.run(
        [sys.executable, program, *job_options, "--runner=FnApiRunner", "--until_empty"],
        cwd=tmp_path,
        env=user_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
    ledger.check(sent)
