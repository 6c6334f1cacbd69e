"""The program is called as it was started."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT


@pytest.mark.parametrize("package", ["pipeline", "maskline.pipeline"])
def test_it_is_called_by_its_package_where_python_was_started_so(package: str) -> None:
    result = subprocess.run(
        [sys.executable, "-m", package, "chekc"], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert f"command 'chekc' is not known; did you mean check? see: python -m {package} --help" in result.stderr
    assert result.stderr.count("\n") == 1


def test_it_is_called_maskline_where_a_script_started_it(tmp_path: Path) -> None:
    script = tmp_path / "maskline"
    script.write_text("import sys\nfrom maskline.pipeline.cli import main\nsys.exit(main(sys.argv[1:]))\n")

    result = subprocess.run(
        [sys.executable, script, "--help"],
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.stdout.startswith("usage: maskline COMMAND [options]\n")
