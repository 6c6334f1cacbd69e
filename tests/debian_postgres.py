"""PostgreSQL 15 from Debian's package, beside the embedded 18: what many servers run."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Mapping
from pathlib import Path

_BINARIES = Path("/usr/lib/postgresql/15/bin")


class DebianPostgres:
    """A PostgreSQL 15 server that runs while the ``with`` block does, on a Unix socket alone.

    Args:
        directory: Where its data, its log and its socket go.
        settings: What is set beside that.
        rules: The lines that stand first in its ``pg_hba.conf``.
    """

    def __init__(self, directory: Path, settings: Mapping[str, object] | None = None, rules: str = "") -> None:
        self._directory = directory
        self._settings = {"listen_addresses": "", "fsync": "off", "max_connections": 60, **(settings or {})}
        self._rules = rules
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
        trust = self._directory / "data" / "pg_hba.conf"
        trust.write_text(self._rules + trust.read_text())
        options = f"-k {self._directory} " + " ".join(f"-c {name}={value}" for name, value in self._settings.items())
        self._run("pg_ctl", "start", "--wait", f"--log={self._directory / 'log'}", f"--options={options}")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._run("pg_ctl", "stop", "--wait", "--mode=immediate")

    @property
    def user(self) -> int:
        """The id of the user that it runs as."""
        return self._user

    def dsn(self, database: str) -> str:
        """Return the data source name of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self._directory}"

    def _run(self, program: str, *options: str) -> None:
        command = [str(_BINARIES / program), f"--pgdata={self._directory / 'data'}", *options]
        subprocess.run(
            command, user=self._user, check=True, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        )
