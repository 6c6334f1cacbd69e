"""Connections to Postgres: how one is opened, and what its errors mean.

Source: https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import msgspec
import psycopg2
from psycopg2.extensions import connection, make_dsn, parse_dsn

from maskline.errors import DatabaseError, MasklineError
from maskline.postgres.dsn import TLS_MODES, PostgresAuth, PostgresDsn
from maskline.postgres.failures import map_postgres_error
from maskline.postgres.rds import MakeToken, rds_endpoint, rds_token

Connection = connection
"""A psycopg2 connection, by a name in the case of a class."""

Connect = Callable[[], Connection]
"""Opens a connection."""

_NAMED_BY_LIBPQ = "connection to server"

_DEFAULTS: dict[str, object] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def connect(dsn: PostgresDsn | str, token: MakeToken = rds_token) -> Connection:
    """Open a connection that notices a dead server within half a minute.

    Args:
        dsn: The data source name. What it does not say comes from libpq's environment variables and files, which are
            read anew for each connection.
        token: Makes what stands in the place of a password where the data source name says so.

    Raises:
        DatabaseError: The login is refused, the database does not exist, or TLS is required and not there.
        DatabaseUnavailableError: Nobody answers there now, or AWS gives out no credentials.
    """
    try:
        text = str(dsn)
        parameters = parse_dsn(text)
        added = _defaults_beside(parameters)
        if isinstance(dsn, PostgresDsn):
            if dsn.requires_tls:
                added |= _tls_beside(parameters)
            if dsn.auth is PostgresAuth.RDS_IAM:
                added["password"] = token(rds_endpoint(parameters))
        connection = psycopg2.connect(make_dsn(text, **added))
    except psycopg2.Error as error:
        meaning = map_postgres_error(error)
        raise _naming_server(meaning, text) if isinstance(meaning, MasklineError) else meaning from None
    if isinstance(dsn, PostgresDsn) and dsn.requires_tls and not tls_state(connection).is_private:
        connection.close()
        raise DatabaseError("postgres: the connection is without TLS, which is required; see sslmode")
    return connection


def _naming_server(error: MasklineError, dsn: str) -> MasklineError:
    """Return an error that says which server it is about; libpq leaves that out where it does not wait itself."""
    if _NAMED_BY_LIBPQ in str(error):
        return error
    given = parse_dsn(dsn)
    names = {"dbname": "database", "user": "user", "host": "host", "port": "port", "service": "service"}
    server = ", ".join(f"{names[name]} {given[name]}" for name in names if given.get(name))
    text = str(error).removeprefix("postgres: ")
    return type(error)(f"postgres: {server or 'the server of the environment'}: {text}", remedy=error.remedy)


class TlsState(msgspec.Struct, frozen=True):
    """Whether others can read or take over a connection.

    Attributes:
        version: The version of TLS, ``TLSv1.3`` say, or None where there is none.
        cipher: The cipher suite, or None.
        mode: What was asked for: libpq's ``sslmode``.
        host: The server's host, or the directory of its Unix socket.
    """

    version: str | None
    cipher: str | None
    mode: str
    host: str

    @property
    def is_socket(self) -> bool:
        """Whether it goes by a Unix socket, which has no TLS."""
        return self.host.startswith(("/", "@"))

    @property
    def is_private(self) -> bool:
        """Whether nobody on a network can read it."""
        return self.version is not None or self.is_socket

    @property
    def is_verified(self) -> bool:
        """Whether the server has proved to be the one that was asked for."""
        return self.is_socket or (self.version is not None and self.mode == "verify-full")


def tls_state(connection: Connection) -> TlsState:
    """Return whether others can read or take over a connection.

    Args:
        connection: The connection, open.
    """
    information = connection.info
    has_tls = information.ssl_in_use
    return TlsState(
        version=information.ssl_attribute("protocol") if has_tls else None,
        cipher=information.ssl_attribute("cipher") if has_tls else None,
        mode=connection.get_dsn_parameters().get("sslmode", "prefer"),
        host=information.host or "",
    )


def _tls_beside(given: dict[str, str]) -> dict[str, object]:
    """Return what to add to a data source name for TLS to be required before anything is sent.

    Raises:
        DatabaseError: A service that the environment names could say otherwise.
    """
    always: dict[str, object] = {} if "gssencmode" in given else {"gssencmode": "disable"}
    if "sslmode" in given:
        return always
    if "PGSERVICE" in os.environ:
        raise DatabaseError("postgres: TLS is required, and PGSERVICE names a service; give sslmode in the DSN")
    return always if os.environ.get("PGSSLMODE") in TLS_MODES else always | {"sslmode": "require"}


def _defaults_beside(given: dict[str, str]) -> dict[str, object]:
    """Return what to add to a data source name; libpq would prefer it to a service file and to the environment."""
    # Whatever encoding is set elsewhere, or is the database's own: text of a login is Unicode.
    always: dict[str, object] = {"fallback_application_name": "maskline", "client_encoding": "UTF8"}
    if "service" in given or "PGSERVICE" in os.environ:
        return always
    said = {*given, *({"connect_timeout"} if "PGCONNECT_TIMEOUT" in os.environ else ())}
    return always | {name: value for name, value in _DEFAULTS.items() if name not in said}


@contextlib.contextmanager
def map_postgres_errors() -> Iterator[None]:
    """Turn psycopg2's errors into ours, for commands that a person runs.

    Raises:
        MasklineError: What the error means; see `maskline.postgres.failures`.
    """
    try:
        yield
    except psycopg2.Error as error:
        meaning = map_postgres_error(error)
        raise meaning if isinstance(meaning, MasklineError) else DatabaseError(f"postgres: {meaning}") from None
