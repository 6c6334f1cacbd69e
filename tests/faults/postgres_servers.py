"""A Postgres server to stop and start, and PgBouncer in front of one."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.pipeline.local.processes import free_port, is_listening
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT

PGBOUNCER_PACKAGES = PROJECT / ".cache" / "pgbouncer"


class OwnPostgres:
    """An embedded Postgres that stops and starts when told; its data stay.

    Args:
        directory: Where its data are.
    """

    def __init__(self, directory: Path) -> None:
        self._data = directory / "data"

    def __enter__(self) -> OwnPostgres:
        """Make it and start it."""
        self._server = EmbeddedPostgres(self._data).__enter__()
        self._control = self._server.psql.with_name("pg_ctl")
        return self

    def __exit__(self, *error: object) -> None:
        """Stop it."""
        self._pg_ctl("stop", "-m", "immediate")
        self._server.__exit__(*error)

    @property
    def log(self) -> Path:
        """The server's own log."""
        return self._data / "log"

    @property
    def owner(self) -> int:
        """The id of the user it runs as: started by root, another one."""
        return self._data.stat().st_uid

    def dsn(self, database: str) -> str:
        """Return the data source name of one of its databases."""
        return self._server.dsn(database)

    def ask_for_password(self, role: str) -> None:
        """Let a role log in with its password only."""
        rules = self._data / "pg_hba.conf"
        rules.write_text(f"local all {role} scram-sha-256\n{rules.read_text()}")
        self._pg_ctl("reload")

    @contextlib.contextmanager
    def stopped(self, mode: str) -> Iterator[None]:
        """Keep it stopped for the time of a block.

        Args:
            mode: ``fast`` ends sessions in an orderly way, ``immediate`` as a crash does.
        """
        self._pg_ctl("stop", "-m", mode)
        try:
            yield
        finally:
            options = (self._data / "postmaster.opts").read_text().partition(" ")[2].strip()
            self._pg_ctl("start", "-l", str(self.log), "-o", options)

    def _pg_ctl(self, command: str, *options: str) -> None:
        subprocess.run(
            [self._control, command, "-w", "-D", self._data, *options],
            user=self.owner,
            check=command == "start",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


class PgBouncer:
    """PgBouncer in front of a server, while the ``with`` block runs.

    Args:
        directory: Where its configuration and its log go.
        dsn: A database of the server, which listens on a Unix socket.
        user: The id of a user to run as: it refuses to run as root.
        mode: ``transaction``, with fewer connections to the server than it is asked for; or ``session``.
    """

    def __init__(self, directory: Path, dsn: str, user: int, mode: str = "transaction") -> None:
        self._directory = directory
        self._dsn = dsn
        self._user = user
        self._mode = mode

    @staticmethod
    def program() -> Path | None:
        """Return where it is, or None where it is not there."""
        fetched = PGBOUNCER_PACKAGES / "usr" / "sbin" / "pgbouncer"
        installed = shutil.which("pgbouncer")
        return fetched if fetched.exists() else Path(installed) if installed else None

    def __enter__(self) -> PgBouncer:
        """Start it, and wait until it listens."""
        self._port = free_port()
        server = conninfo_to_dict(self._dsn)
        configuration = self._directory / "pgbouncer.ini"
        configuration.write_text(
            _CONFIGURATION.format(
                host=server["host"],
                port=self._port,
                directory=self._directory,
                mode=self._mode,
                size=2 if self._mode == "transaction" else 20,
            )
        )
        os.chown(self._directory, self._user, -1)
        libraries = [str(path) for path in (PGBOUNCER_PACKAGES / "usr" / "lib").glob("*-linux-gnu")]
        program = self.program()
        assert program is not None
        self._process = subprocess.Popen(
            [program, "--quiet", configuration],
            user=self._user,
            env={"LD_LIBRARY_PATH": os.pathsep.join(libraries)},
            stdin=subprocess.DEVNULL,
        )
        await_until(lambda: is_listening(self._port), "PgBouncer listens")
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it."""
        self._process.kill()
        self._process.wait()

    @property
    def dsn(self) -> str:
        """The data source name of the database by way of PgBouncer."""
        return make_conninfo(self._dsn, host="127.0.0.1", port=self._port)


_CONFIGURATION = """
[databases]
* = host={host} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
logfile = {directory}/pgbouncer.log
pidfile = {directory}/pgbouncer.pid
"""
