"""The documentation holds: its code runs, and its tables name what there is."""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from maskline.keys import Keyset, StoredKeyset
from maskline.masking import Masker
from maskline.records import Reason
from maskline.sqs import QueueAddress, SqsQueue
from maskline.stream import JOB_COLUMNS, parse_stream
from pipeline.commands import run
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT

README = (PROJECT / "README.md").read_text()
DOCUMENTS = sorted((PROJECT / "docs").glob("*.md"))


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(2))
def test_a_python_block_of_the_readme_runs(number: int, tmp_path: Path) -> None:
    program = tmp_path / "block.py"
    program.write_text(blocks(README, "python")[number])

    result = subprocess.run(
        [sys.executable, program], cwd=tmp_path, env=_environment(), capture_output=True, text=True, check=False
    )

    assert result.returncode == 0, result.stderr


def test_the_commands_of_the_readme_run_as_they_stand(
    tmp_path: Path, queue: SqsQueue, queue_address: QueueAddress, unmigrated_dsn: str
) -> None:
    queue.send([login(1), "not JSON"])
    places = {
        "MASKLINE_QUEUE": queue_address.queue,
        "MASKLINE_QUEUE_ENDPOINT": queue_address.endpoint or "",
        "MASKLINE_POSTGRES": unmigrated_dsn,
    }

    result = subprocess.run(
        ["bash", "-e", "-c", "\n".join(blocks(README, "bash"))],
        cwd=tmp_path,
        env=_environment() | places,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "Migrated the schema from revision base to 0007." in result.stdout
    assert "198.51.0.1" in result.stdout
    assert "Sent back 1 of 1 messages." in result.stdout


def test_the_scripts_that_the_readme_names_can_be_run() -> None:
    scripts = set(re.findall(r"\./(\w+\.sh)", README))

    assert scripts == {"run_local.sh", "run_tests.sh"}
    assert all(os.access(PROJECT / script, os.X_OK) for script in scripts)


def test_the_table_of_options_is_that_of_run() -> None:
    parser = argparse.ArgumentParser()
    run.add_options(parser)
    table = README.partition("## Options of `run`")[2].partition("\n## ")[0]

    documented = re.findall(r"^\| `--(\w+)`", table, re.MULTILINE)

    known = [action.dest for action in parser._actions if action.dest != "help"]
    assert sorted(documented) == sorted(known)


def test_every_dependency_earns_its_line() -> None:
    pinned = re.findall(r"^([\w\[\]-]+)==", (PROJECT / "requirements.txt").read_text(), re.MULTILINE)
    table = README.partition("## What it stands on")[2]

    documented = [name for row in re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE) for name in row.split(", ")]

    assert sorted(documented) == sorted([*pinned, "dependency"])


def test_every_link_leads_somewhere() -> None:
    for document in [PROJECT / "README.md", *DOCUMENTS]:
        for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_a_value_is_recovered_without_maskline_as_the_manual_says(stored_keyset: StoredKeyset, keyset: Keyset) -> None:
    (program,) = blocks((PROJECT / "docs" / "masking.md").read_text(), "python")
    token = Masker(keyset).mask("203.0.113.7", "user_logins.masked_ip")
    namespace: dict[str, Any] = {}

    exec(program, namespace)
    value = namespace["recover"](token, "user_logins.masked_ip", stored_keyset.content.decode())

    assert value == "203.0.113.7"


def test_the_manual_of_streams_is_complete() -> None:
    manual = (PROJECT / "docs" / "streams.md").read_text()
    (example,) = blocks(manual, "toml")

    assert parse_stream(example, "docs/streams.md").name == tomllib.loads(example)["name"] == "orders"
    assert set(JOB_COLUMNS) | {str(reason) for reason in Reason} <= set(
        re.findall(r"^\| `(\w+)`", manual, re.MULTILINE)
    )


def _environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}
