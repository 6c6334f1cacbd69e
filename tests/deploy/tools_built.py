"""The tools that tests/deploy/fetch.sh builds, and others of the machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.e2e.job_process import PROJECT

DEPLOY = PROJECT / "deploy"
FETCHED = PROJECT / ".cache" / "deploy-tools"


def takes(tool: str) -> pytest.MarkDecorator:
    """Return the mark of a test that takes a tool, which is skipped where it is neither built nor installed."""
    return pytest.mark.skipif(
        _find(tool) is None, reason=f"{tool} is not there; tests/deploy/fetch.sh builds it where Go is installed"
    )


def run_tool(tool: str, *arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a tool, with a text for its standard input.

    Args:
        tool: Its name.
        arguments: Its arguments.
        text: The text.
    """
    path = _find(tool)
    assert path is not None
    return subprocess.run(
        [path, *arguments], input=text, capture_output=True, text=True, check=False, timeout=60, cwd=PROJECT
    )


def _find(tool: str) -> str | None:
    built = FETCHED / tool
    return str(built) if built.exists() else shutil.which(tool)
