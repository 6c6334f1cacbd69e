"""The embedded Postgres: its data outlive it, and it is reached by a socket alone."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from maskline.pipeline.local.postgres import OWNERS_TABLE, EmbeddedPostgres
from maskline.pipeline.local.processes import running_process
from maskline.postgres.connection import open_connection, transaction
from tests.conftest import run_sql

pytestmark = pytest.mark.heavy


def test_data_outlive_the_server_and_a_left_behind_one_is_taken_over(server_directory: Path) -> None:
    with EmbeddedPostgres(server_directory / "data") as server:
        server.create_database("kept", OWNERS_TABLE)
        run_sql(server.dsn("kept"), "INSERT INTO user_logins (user_id) VALUES ('ann')")
        pid = server_pid(server_directory / "data")
    assert running_process(pid, "postgres") is None

    with EmbeddedPostgres(server_directory / "data") as server:
        server.create_database("kept", OWNERS_TABLE)
        assert users(server.dsn("kept")) == ["ann"]


def test_a_server_that_was_killed_is_started_again(server_directory: Path) -> None:
    with EmbeddedPostgres(server_directory / "data") as server:
        server.create_database("kept", OWNERS_TABLE)
        psutil.Process(server_pid(server_directory / "data")).send_signal(signal.SIGKILL)

    with EmbeddedPostgres(server_directory / "data") as server:
        assert users(server.dsn("kept")) == []


def test_it_listens_on_no_port(server_directory: Path) -> None:
    with EmbeddedPostgres(server_directory / "data"):
        server = psutil.Process(server_pid(server_directory / "data"))
        ports = [c.laddr for c in server.net_connections(kind="inet") if c.status == psutil.CONN_LISTEN]

    assert ports == []


def test_one_left_behind_can_be_stopped(server_directory: Path) -> None:
    with EmbeddedPostgres(server_directory / "data"):
        pid = server_pid(server_directory / "data")

        EmbeddedPostgres.stop_left_behind(server_directory / "data")

        assert running_process(pid, "postgres") is None
    EmbeddedPostgres.stop_left_behind(server_directory / "data")
    EmbeddedPostgres.stop_left_behind(server_directory / "nothing")


def server_pid(data_directory: Path) -> int:
    return int((data_directory / "postmaster.pid").read_text().splitlines()[0])


def users(dsn: str) -> list[str]:
    connection = open_connection(dsn)
    with transaction(connection) as cursor:
        cursor.execute("SELECT user_id FROM user_logins")
        found = [user for (user,) in cursor]
    connection.close()
    return found
