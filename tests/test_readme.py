"""The documentation holds: its code runs, and its tables name what there is."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.pipeline.commands import run
from maskline.postgres.revision import NEWEST_REVISION
from maskline.sqs import QueueAddress, SqsQueue
from tests.documents import blocks, run_commands, user_environment
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT
from tests.pinned import REQUIREMENTS, declared, listed

README = (PROJECT / "README.md").read_text()
DOCUMENTS = sorted((PROJECT / "docs").glob("*.md"))


@pytest.mark.heavy
@pytest.mark.parametrize("number", range(2))
def test_a_python_block_of_the_readme_runs(number: int, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(blocks(README, "python")[number])

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


def test_the_table_of_options_is_that_of_run() -> None:
    parser = argparse.ArgumentParser()
    run.add_options(parser)
    table = README.partition("## Options of `run`")[2].partition("\n## ")[0]

    documented = re.findall(r"^\| `--(\w+)`", table, re.MULTILINE)

    known = [action.dest for action in parser._actions if action.dest != "help"]
    assert sorted(documented) == sorted(known)


def test_every_dependency_earns_its_line() -> None:
    table = README.partition("## Dependencies")[2]

    documented = [name for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in row.split(", ")]

    needed = set.union(declared(), declared("all"), *(listed(whom) for whom in REQUIREMENTS))
    assert sorted(documented) == sorted([*needed, "dependency"])


def test_every_link_leads_somewhere() -> None:
    for document in [PROJECT / "README.md", *DOCUMENTS]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
