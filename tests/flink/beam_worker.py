"""An environment in which Beam alone is installed, and Beam's own start program: what a bare worker has."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import apache_beam as beam
import psutil
import pytest

from tests.e2e.job_process import PROJECT

CACHE = PROJECT / ".cache" / f"beam-worker-{beam.__version__}"
BOOT = CACHE / "container"
PYTHON = CACHE / "python"
START_WORKER = PROJECT / "deploy" / "flink" / "start_worker.sh"

takes_beam_worker = pytest.mark.skipif(
    not BOOT.exists() or not PYTHON.exists(),
    reason="Beam's start program is not there; tests/flink/fetch.sh builds it where Go is installed",
)


class BeamWorker:
    """A copy of that environment, into which a job may install its package.

    Args:
        directory: Where it and the workers' own directories go.
    """

    def __init__(self, directory: Path) -> None:
        self._environment = directory / "beam"
        self._workers = directory / "workers"
        self._workers.mkdir()
        shutil.copytree(PYTHON, self._environment, symlinks=True, copy_function=_link)

    @property
    def python(self) -> Path:
        """Its Python."""
        return self._environment / "bin" / "python"

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables with which `START_WORKER` starts a worker in it."""
        return {"WORKER_BOOT": str(BOOT), "WORKER_PYTHON": str(self.python.parent), "TMPDIR": str(self._workers)}

    def has(self, package: str) -> bool:
        """Say whether a package is installed in it."""
        search = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({package!r}) is None)"
        return subprocess.run([self.python, "-I", "-c", search], check=False).returncode == 0

    def running(self) -> list[psutil.Process]:
        """Return its workers' processes."""
        return [process for process in psutil.process_iter() if self._runs(process)]

    def _runs(self, process: psutil.Process) -> bool:
        with contextlib.suppress(psutil.Error):
            return process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(self._workers)
        return False


def _link(source: str, target: str) -> None:
    # pip replaces files, and never writes into them.
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
