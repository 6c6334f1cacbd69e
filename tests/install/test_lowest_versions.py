"""The lowest version of each package that the metadata allow does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT
from tests.test_architecture import FOLDERS, sources

UV = Path(sys.executable).parent / "uv"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(not UV.exists(), reason="uv is not installed; tests/requirements.txt has it"),
]


def test_every_module_can_be_imported_with_the_lowest_versions(tmp_path: Path) -> None:
    environment, versions = tmp_path / "environment", tmp_path / "versions.txt"
    lowest = ("--extra", "all", "--resolution", "lowest-direct", "--python-version", "3.11")
    subprocess.run([UV, "pip", "compile", "-q", *lowest, "-o", versions, "pyproject.toml"], cwd=PROJECT, check=True)
    subprocess.run([UV, "venv", "-q", "--python", "3.11", environment], check=True)
    subprocess.run([UV, "pip", "install", "-q", "--python", environment, "-r", versions], check=True)
    modules = [
        f"{layer}.{'.'.join(file.relative_to(PROJECT / FOLDERS[layer]).with_suffix('').parts)}"
        for layer in ("maskline", "maskline.transforms", "maskline.pipeline")
        for file in sources(layer)
        if file.name not in ("__init__.py", "__main__.py") and "migrations" not in file.parts
    ]
    code = "import importlib\n" + "\n".join(f"importlib.import_module({module!r})" for module in modules)

    result = subprocess.run(
        [environment / "bin" / "python", "-W", "ignore", "-c", code],
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr
