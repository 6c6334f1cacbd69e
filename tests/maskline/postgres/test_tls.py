"""Connections over TLS to a server whose certificate is made here: what is demanded, what is said, and tokens."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
import trustme
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus

from maskline.errors import DatabaseError, DatabaseLoginError
from maskline.pipeline.local.processes import free_port
from maskline.postgres.connection import TlsState, connect, open_connection, tls_state, transaction
from maskline.postgres.dsn import PostgresAuth, PostgresDsn
from maskline.postgres.rds import RdsEndpoint, rds_token
from tests.debian_postgres import DebianPostgres
from tests.faults.postgres_wire import postgres_connect
from tests.faults.tcp_proxy import TcpProxy
from tests.maskline.postgres.records import run, value_of
from tests.runbook import heading_for

RDS_HOST = "logins.c9akciq32rgw.eu-central-1.rds.amazonaws.com"
RULES = """
hostssl all iam 127.0.0.1/32 password
hostnossl all iam 127.0.0.1/32 reject
"""


class TlsServer:
    """Where a server with TLS is.

    Attributes:
        admin: The data source name of its superuser, by its Unix socket.
        port: Its port on loopback.
        authority: The file of the authority that its certificate is from.
    """

    def __init__(self, admin: str, port: int, authority: Path) -> None:
        self.admin = admin
        self.port = port
        self.authority = authority

    def dsn(self, host: str = RDS_HOST, **parameters: object) -> str:
        """Return a data source name that leads there, whatever host it names."""
        given = {"host": host, "hostaddr": "127.0.0.1", "port": self.port, "dbname": "postgres", **parameters}
        return make_conninfo("", **{name: str(value) for name, value in given.items()})


@pytest.fixture(scope="module")
def server() -> Iterator[TlsServer]:
    missing = DebianPostgres.why_it_cannot_start()
    if missing is not None:
        pytest.skip(missing)
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory)
        place.chmod(0o755)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(place / "authority.pem")
        certificate = authority.issue_cert(RDS_HOST)
        own = place / "server"
        own.mkdir()
        port = free_port()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "ssl": "on",
            "ssl_cert_file": own / "certificate.pem",
            "ssl_key_file": own / "key.pem",
        }
        postgres = DebianPostgres(own, settings, RULES)
        certificate.private_key_pem.write_to_path(own / "key.pem")
        certificate.cert_chain_pems[0].write_to_path(own / "certificate.pem")
        (own / "key.pem").chmod(0o600)
        for name in ("key.pem", "certificate.pem"):
            os.chown(own / name, postgres.user, -1)
        with postgres:
            admin = make_conninfo(postgres.dsn("postgres"), port=port)
            with contextlib.closing(open_connection(admin)) as connection, connection:
                run(connection, "CREATE ROLE iam LOGIN")
            yield TlsServer(admin, port, place / "authority.pem")


def state_of(dsn: PostgresDsn | str) -> TlsState:
    with contextlib.closing(connect(dsn)) as connection:
        return tls_state(connection)


def test_the_state_of_a_connection_is_the_one_that_it_has(server: TlsServer) -> None:
    verified = state_of(server.dsn(user="postgres", sslmode="verify-full", sslrootcert=server.authority))
    encrypted = state_of(server.dsn(user="postgres", sslmode="require"))
    in_clear = state_of(server.dsn(user="postgres", sslmode="disable"))
    by_socket = state_of(server.admin)

    assert (verified.version, verified.is_private, verified.is_verified) == ("TLSv1.3", True, True)
    assert verified.cipher == "TLS_AES_256_GCM_SHA384"
    assert (encrypted.is_private, encrypted.is_verified) == (True, False)
    assert (in_clear.version, in_clear.is_private, in_clear.is_verified) == (None, False, False)
    assert (by_socket.version, by_socket.is_private, by_socket.is_verified) == (None, True, True)


def test_tls_that_is_required_is_asked_for_whatever_the_environment_says(
    server: TlsServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGSSLMODE", "disable")

    state = state_of(PostgresDsn.parse(server.dsn(user="postgres"), require_tls=True))

    assert (state.version, state.mode) == ("TLSv1.3", "require")


def test_what_the_environment_demands_beyond_that_stays(server: TlsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(server.authority))

    state = state_of(PostgresDsn.parse(server.dsn(user="postgres"), require_tls=True))

    assert state.mode == "verify-full"


def test_a_server_of_another_name_is_refused_by_verify_full(server: TlsServer) -> None:
    dsn = server.dsn("other.example.com", user="postgres", sslmode="verify-full", sslrootcert=server.authority)

    with pytest.raises(DatabaseError, match="server certificate for") as refused:
        connect(PostgresDsn.parse(dsn, require_tls=True))

    assert heading_for(refused.value.exit_code, str(refused.value)) == "Exit code 2"


def test_a_connection_over_tls_that_was_looked_at_has_no_transaction_under_way(server: TlsServer) -> None:
    dsn = PostgresDsn.parse(server.dsn(user="postgres"), require_tls=True)
    with contextlib.closing(connect(dsn)) as connection:
        connection.autocommit = True  # as a writer does first, and psycopg lets nobody within a transaction
        connection.autocommit = False
        assert tls_state(connection).is_private
        assert connection.info.transaction_status == TransactionStatus.IDLE


def test_a_server_without_tls_is_refused_before_a_password_is_sent(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The embedded server, behind a port, has no TLS."""
    with TcpProxy(postgres_connect(dsn)) as proxy:
        by_port = PostgresDsn.parse(make_conninfo(dsn, host="127.0.0.1", port=proxy.port), require_tls=True)

        with pytest.raises(DatabaseError, match="server does not support SSL") as refused:
            connect(by_port)

    assert heading_for(refused.value.exit_code, str(refused.value)) == "Exit code 2"


def test_a_unix_socket_takes_no_tls_even_where_it_is_required(dsn: str) -> None:
    assert state_of(PostgresDsn.parse(dsn, require_tls=True)).is_socket


def test_every_connection_logs_in_with_a_token_of_its_own(server: TlsServer) -> None:
    """The server knows one password: the token that was made last."""
    client = boto3.session.Session("AKIDEXAMPLE", "secret").client("rds", region_name="eu-central-1")
    tokens: list[str] = []

    def token(endpoint: RdsEndpoint) -> str:
        tokens.append(f"{rds_token(endpoint, lambda *_: client)}&n={len(tokens)}")
        with contextlib.closing(open_connection(server.admin)) as admin, transaction(admin) as cursor:
            cursor.execute("ALTER ROLE iam PASSWORD %s", [tokens[-1]])
        return tokens[-1]

    dsn = PostgresDsn.parse(server.dsn(user="iam"), PostgresAuth.RDS_IAM)
    for _ in range(2):
        with contextlib.closing(connect(dsn, token)) as connection:
            assert value_of(connection, "SELECT current_user") == "iam"
            assert tls_state(connection).version == "TLSv1.3"
            assert "X-Amz" not in connection.info.dsn

    assert len(set(tokens)) == 2
    assert all(made.startswith(f"{RDS_HOST}:{server.port}/?Action=connect&DBUser=iam") for made in tokens)
    with pytest.raises(DatabaseLoginError) as refused:
        connect(dsn, lambda _: tokens[0])
    assert "X-Amz" not in str(refused.value)
