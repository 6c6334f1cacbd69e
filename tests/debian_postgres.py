"""PostgreSQL 15 from Debian's package, beside the embedded 18: what many servers run."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path
from types import TracebackType

_BINARIES = Path("/usr/lib/postgresql/15/bin")


class DebianPostgres:
    """A PostgreSQL 15 server that runs while the ``with`` block does, on a Unix socket alone.

    Args:
        directory: Where its data, its log and its socket go.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # It refuses to run as root; Debian's package brings a user for it.
        self._user = pwd.getpwnam("postgres").pw_uid if os.getuid() == 0 else os.getuid()

    @staticmethod
    def why_it_cannot_start() -> str | None:
        """Say what is missing, if anything is."""
        if (_BINARIES / "postgres").exists():
            return None
        return "PostgreSQL 15 is not installed; .ci/run installs it where apt-get may"

    def __enter__(self) -> DebianPostgres:
        """Make its data and start it."""
        os.chown(self._directory, self._user, -1)
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "--encoding=UTF8")
        options = f"-k {self._directory} -c listen_addresses= -c fsync=off -c max_connections=60"
        self._run("pg_ctl", "start", "--wait", f"--log={self._directory / 'log'}", f"--options={options}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Stop it."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    def dsn(self, database: str) -> str:
        """Return the data source name of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self._directory}"

    def _run(self, program: str, *options: str) -> None:
        command = [str(_BINARIES / program), f"--pgdata={self._directory / 'data'}", *options]
        subprocess.run(
            command, user=self._user, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
