"""The unit tests on the other versions of Python that the metadata name, where they are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT
from tests.pinned import METADATA

UV = Path(sys.executable).parent / "uv"
NAMED = [named[1] for one in METADATA["classifiers"] if (named := re.fullmatch(r".*Python :: (3\.\d+)", one))]
OTHERS = [version for version in NAMED if version != f"3.{sys.version_info.minor}"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not UV.exists(), reason="uv is not installed; tests/requirements.txt has it"),
]


@pytest.mark.parametrize("version", OTHERS)
def test_the_unit_tests_pass_on_another_python(version: str, tmp_path: Path) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"Python {version} is not installed")
    environment, versions = tmp_path / "environment", tmp_path / "versions.txt"
    asked_for = ("pyproject.toml", "tests/requirements.txt", "--extra", "all", "--constraint", "constraints.txt")
    subprocess.run(
        [UV, "pip", "compile", "-q", *asked_for, "--python-version", version, "-o", versions], cwd=PROJECT, check=True
    )
    subprocess.run([UV, "venv", "-q", "--python", python, environment], check=True)
    subprocess.run([UV, "pip", "install", "-q", "--python", environment, "-r", versions], check=True)

    result = subprocess.run(
        [environment / "bin" / "python", "-m", "pytest", "-q", "-m", "unit", "-p", "no:cacheprovider"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stdout


def find_python(version: str) -> str | None:
    """Return a Python of a version: pyenv's, whose shims on the PATH may lead nowhere, or one of the PATH."""
    of_pyenv = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    return str(of_pyenv[-1]) if of_pyenv else shutil.which(f"python{version}")
