"""README.md holds: its code runs, its commands do what they say, and its figures are those that were measured."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.postgres.revision import NEWEST_REVISION
from maskline.sqs import QueueAddress, SqsQueue
from tests.documents import blocks, run_commands, user_environment
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT

README = (PROJECT / "README.md").read_text()
PERFORMANCE = (PROJECT / "docs" / "performance.md").read_text()
MAX_WORDS = 1000


@pytest.mark.heavy
def test_the_python_block_of_the_readme_runs(tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    (text,) = blocks(README, "python")
    program.write_text(text)

    result = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=user_environment(), capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_the_commands_of_the_readme_run_as_they_stand(
    tmp_path: Path, queue: SqsQueue, queue_address: QueueAddress, unmigrated_dsn: str
) -> None:
    queue.send([login(1), "not JSON"])
    places = {
        "MASKLINE_QUEUE": queue_address.queue,
        "MASKLINE_QUEUE_ENDPOINT": queue_address.endpoint or "",
        "MASKLINE_POSTGRES": unmigrated_dsn,
    }

    result = run_commands("\n".join(blocks(README, "bash")), tmp_path, places)

    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Migrated the schema from revision base to {NEWEST_REVISION}." in result.stdout
    assert "198.51.0.1" in result.stdout
    assert "Sent back 1 of 1 messages." in result.stdout


def test_the_scripts_that_the_readme_names_can_be_run() -> None:
    scripts = set(re.findall(r"\./(\w+\.sh)", README))

    assert scripts == {"run_flink.sh", "run_local.sh", "run_tests.sh"}
    assert all(os.access(PROJECT / script, os.X_OK) for script in scripts)


def test_it_takes_five_minutes_to_read() -> None:
    assert len(README.split()) <= MAX_WORDS


def test_its_figures_are_those_of_the_performance_page() -> None:
    (sentence,) = re.findall(r"^In our own runs .*?\[performance\]", README, re.MULTILINE | re.DOTALL)

    figures = re.findall(r"\d+", sentence)

    summary = set(re.findall(r"\d[\d,.]*\d|\d", PERFORMANCE.partition("## How to measure")[0]))
    assert len(figures) == 6
    assert [figure for figure in figures if figure not in summary] == []
