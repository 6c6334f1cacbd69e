"""What people expect beside the code is there, and true."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from maskline import __version__
from tests.e2e.job_process import PROJECT
from tests.pinned import METADATA

CHANGELOG = (PROJECT / "CHANGELOG.md").read_text()
CONTRIBUTING = (PROJECT / "CONTRIBUTING.md").read_text()


def test_the_license_is_the_one_that_the_metadata_name() -> None:
    text = (PROJECT / "LICENSE").read_text()

    assert METADATA["license"] == "Apache-2.0"
    assert text.split()[:4] == ["Apache", "License", "Version", "2.0,"]
    assert "END OF TERMS AND CONDITIONS" in text


def test_the_changelog_begins_with_the_version_that_is_built() -> None:
    (newest, *_) = re.findall(r"^## .*?(\d+\.\d+\.\d+)", CHANGELOG, re.MULTILINE)

    assert newest == __version__


def test_the_contributing_guide_names_files_that_there_are() -> None:
    named = set(
        re.findall(
            r"`((?:maskline|pipeline|transforms|tests|docs)/[\w./]+|[\w.]+\.(?:toml|txt|yaml|md))`", CONTRIBUTING
        )
    )

    assert len(named) > 15
    assert {name for name in named if not (PROJECT / name).exists()} == set()


def test_the_hooks_are_the_checks_of_ci() -> None:
    hooks = yaml.safe_load((PROJECT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    checks = {hook["entry"].replace(".venv/bin/", "") for hook in hooks}

    script = (PROJECT / "run_tests.sh").read_text().splitlines()

    assert checks == {line for line in script if line.startswith(("ruff", "mypy"))}


def test_an_installation_that_is_up_to_date_starts_no_pip(tmp_path: Path) -> None:
    project = tmp_path / "a folder with spaces"
    (project / ".venv" / "bin").mkdir(parents=True)
    for name in ("install.sh", "requirements.txt", "constraints.txt", "pyproject.toml", "setup.py"):
        shutil.copy(PROJECT / name, project / name)
    python = project / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n')
    python.chmod(0o755)

    def calls_of_pip() -> int:
        subprocess.run(["bash", project / "install.sh"], check=True)
        return len((project / ".venv" / "bin" / "calls").read_text().splitlines())

    assert calls_of_pip() == 1
    assert calls_of_pip() == 1
    (project / "constraints.txt").write_text("boto3==1.43.106\n")
    assert calls_of_pip() == 2


@pytest.mark.parametrize(
    ("arguments", "installed"),
    [([], ["requirements.txt"]), (["--lake", "--fresh"], ["requirements.txt", "requirements-lake.txt"])],
)
def test_a_local_run_installs_what_a_lake_takes_only_where_it_is_asked_for(
    arguments: list[str], installed: list[str], tmp_path: Path
) -> None:
    calls = calls_of_python("run_local.sh", arguments, tmp_path)

    *installations, started = calls
    assert [call.split()[-1] for call in installations] == installed
    assert started.split() == ["-m", "pipeline", "local", *arguments]


def test_what_is_installed_is_not_compiled_before_it_is_used(tmp_path: Path) -> None:
    (installation, _) = calls_of_python("run_flink.sh", [], tmp_path)

    assert "--no-compile" in installation.split()


def calls_of_python(script: str, arguments: list[str], project: Path) -> list[str]:
    """Run a script of the project with a Python that only notes what it was called with, and return that."""
    (project / ".venv" / "bin").mkdir(parents=True)
    (project / "deploy" / "flink").mkdir(parents=True)
    for name in (script, "install.sh", "constraints.txt", "pyproject.toml", "setup.py"):
        shutil.copy(PROJECT / name, project / name)
    for requirements in PROJECT.glob("requirements*.txt"):
        shutil.copy(requirements, project)
    python = project / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$@" >> "$(dirname "$0")/calls"\n')
    fetch = project / "deploy" / "flink" / "fetch.sh"
    fetch.write_text("#!/bin/sh\n")
    for program in (python, fetch):
        program.chmod(0o755)
    subprocess.run(["bash", project / script, *arguments], check=True)
    return (python.parent / "calls").read_text().splitlines()


@pytest.mark.slow
def test_the_suite_may_be_started_where_ctrl_c_is_ignored() -> None:
    tests = ["tests/pipeline/test_stopping.py", "tests/pipeline/runners/test_cluster.py"]
    suite = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]

    ran = subprocess.run(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *suite], cwd=PROJECT, capture_output=True)

    assert ran.returncode == 0, ran.stdout.decode()
