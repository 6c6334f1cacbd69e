"""Connections to Postgres: how one is opened, and what its errors mean.

Source: https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import psycopg2
from psycopg2.extensions import connection, make_dsn, parse_dsn

from maskline.errors import DatabaseError, MasklineError
from maskline.postgres.dsn import PostgresDsn
from maskline.postgres.failures import map_postgres_error

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


def connect(dsn: PostgresDsn | str) -> Connection:
    """Open a connection that notices a dead server within half a minute.

    Args:
        dsn: The data source name. What it does not say comes from libpq's environment variables and files.

    Raises:
        DatabaseError: The login is refused, or the database does not exist.
        DatabaseUnavailableError: Nobody answers there now.
    """
    try:
        text = str(dsn)
        return psycopg2.connect(make_dsn(text, **_defaults_beside(parse_dsn(text))))
    except psycopg2.Error as error:
        meaning = map_postgres_error(error)
        raise _naming_server(meaning, text) if isinstance(meaning, MasklineError) else meaning from None


def _naming_server(error: MasklineError, dsn: str) -> MasklineError:
    """Return an error that says which server it is about; libpq leaves that out where it does not wait itself."""
    if _NAMED_BY_LIBPQ in str(error):
        return error
    given = parse_dsn(dsn)
    names = {"dbname": "database", "user": "user", "host": "host", "port": "port", "service": "service"}
    server = ", ".join(f"{names[name]} {given[name]}" for name in names if given.get(name))
    text = str(error).removeprefix("postgres: ")
    return type(error)(f"postgres: {server or 'the server of the environment'}: {text}", remedy=error.remedy)


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
