"""A job's process holds nothing of what Beam brings for other work."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.pipeline.hidden_packages import hidden_packages

JOB_WITHOUT_A_KEYSET = """
import sys
from maskline.pipeline.cli import main
exit_code = main(["run", "--queue=logins", "--postgres=postgresql://127.0.0.1:1/none", "--keyset=file:none.json"])
print(exit_code, sorted({"apache_beam", "pandas", "pyarrow"} & sys.modules.keys()))
"""


def test_a_hidden_package_is_missing_for_as_long_as_it_is_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maskline_large.py").write_text("SIZE = 33\n")
    monkeypatch.syspath_prepend(tmp_path)

    with hidden_packages(["maskline_large"]), pytest.raises(ModuleNotFoundError) as missing:
        importlib.import_module("maskline_large")

    assert missing.value.name == "maskline_large"
    assert importlib.import_module("maskline_large").SIZE == 33


@pytest.mark.slow
def test_a_job_imports_beam_and_none_of_the_packages_for_data_frames() -> None:
    command = [sys.executable, "-c", JOB_WITHOUT_A_KEYSET]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout

    assert printed == "2 ['apache_beam']\n"
