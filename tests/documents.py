"""Reading the documentation, and running what it shows."""

from __future__ import annotations

import atexit
import functools
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.e2e.job_process import PROJECT


def blocks(text: str, language: str) -> list[str]:
    """Return the code blocks of a document that are of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def typed_commands(block: str) -> Iterator[str]:
    """Return the commands of a block, each as one line, without what they print."""
    lines = re.sub(r"\\\n\s*", " ", block).splitlines()
    shows_output = any(line.startswith("$ ") for line in lines)
    command = ""
    for line in lines:
        if not command and (not line.strip() or (shows_output and not line.startswith("$ "))):
            continue
        command += line.removeprefix("$ ") if not command else f" {line.strip()}"
        try:
            shlex.split(command, comments=True)
        except ValueError:  # a quotation goes on in the next line
            continue
        if not command.startswith("#"):
            yield command
        command = ""


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
    """Return the environment of a user who has the virtual environment activated, with this checkout installed."""
    path = os.pathsep.join([_console_script_directory(), str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "PYTHONPATH": str(PROJECT), "PYTHONWARNINGS": "ignore"}


@functools.cache
def _console_script_directory() -> str:
    """Return a directory with a ``maskline`` of this checkout: that of the environment may be another's, or missing."""
    directory = tempfile.TemporaryDirectory(prefix="maskline-script-")
    atexit.register(directory.cleanup)
    script = Path(directory.name) / "maskline"
    script.write_text(f"#!{sys.executable}\nfrom maskline.pipeline.cli import run\nrun()\n")
    script.chmod(0o755)
    return directory.name
