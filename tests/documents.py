"""Reading the documentation, and running what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.e2e.job_process import PROJECT


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a document that are of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def run_commands(commands: str, directory: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run commands as a user who stands in a directory would."""
    return subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=directory,
        env=user_environment() | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def user_environment() -> dict[str, str]:
    """Return the environment of a user who has the virtual environment activated."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}
