"""Virtual environments beside a project that has ``transforms`` and ``pipeline`` packages of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.e2e.job_process import PROJECT

THEIRS = {
    "transforms/__init__.py": "WHOSE = 'theirs'\n",
    "pipeline/__init__.py": "WHOSE = 'theirs'\n",
    "pipeline/job.py": "WHOSE = 'theirs'\n",
}
THEIRS_ARE_THEIRS = "import transforms, pipeline.job; assert transforms.WHOSE == pipeline.job.WHOSE == 'theirs'"


class Environment:
    """A project with an environment of its own, into which maskline is installed.

    Args:
        directory: An empty directory for both.
    """

    def __init__(self, directory: Path) -> None:
        self.project = directory / "their project"
        self._bin = directory / "environment" / "bin"
        for name, content in THEIRS.items():
            (self.project / name).parent.mkdir(parents=True, exist_ok=True)
            (self.project / name).write_text(content)
        subprocess.run([sys.executable, "-m", "venv", self._bin.parent], check=True)

    def install(self, source: Path, extras: str = "") -> None:
        """Install maskline from a checkout, at the pinned versions.

        Args:
            source: The checkout, or a wheel.
            extras: ``[cli]`` say.
        """
        constraints = PROJECT / "constraints.txt"
        pip: list[str | Path] = [self._bin / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--constraint", constraints, f"{source}{extras}"], check=True)

    def packages(self) -> set[str]:
        """Return the names of what is installed."""
        listed = self.run("python", "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check")
        return {line.partition("==")[0].lower().replace("_", "-") for line in listed.stdout.splitlines()}

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment in the project's folder, with nothing of this checkout in its way."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "MASKLINE"))}
        return subprocess.run(
            [self._bin / program, *arguments],
            cwd=self.project,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def run_python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run code as a script of the project."""
        (self.project / "script.py").write_text(code)
        return self.run("python", "script.py")


def copy_of_checkout(target: Path) -> Path:
    """Copy what is committed or about to be, symbolic links as they are, and return where it is."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if not os.path.lexists(PROJECT / name):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target / name, follow_symlinks=False)
    return target
