"""Connections to Postgres: how a data source name is checked and how a connection is opened.

Source: https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator

import psycopg2
from psycopg2.extensions import connection, make_dsn, parse_dsn

from maskline.errors import DatabaseError, MasklineError, UsageError
from maskline.postgres.failures import map_postgres_error

Connection = connection
"""A psycopg2 connection, by a name in the case of a class."""

Connect = Callable[[], Connection]
"""Opens a connection."""

_SECRETS = ("password", "sslpassword", "oauth_client_secret")
_DEFAULTS: dict[str, object] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


def check_dsn(dsn: str) -> str:
    """Check a data source name and return it.

    It becomes part of the job graph, which engines store and show, so a password in it is refused.

    Args:
        dsn: A libpq connection string or URI, ``postgresql://user@host/database`` say.

    Raises:
        UsageError: It is not one, or holds a password. The error does not repeat it.
    """
    try:
        parameters = parse_dsn(dsn)
    except psycopg2.ProgrammingError:
        raise UsageError("postgres: not a data source name; give one like postgresql://user@host/database") from None
    for secret in _SECRETS:
        if parameters.get(secret):
            raise UsageError(
                f"postgres: holds a {secret}, which the job graph would show; leave it out and give it by PGPASSWORD, "
                "PGPASSFILE or a service file"
            )
    if "://" in parameters.get("dbname", ""):
        raise UsageError("postgres: its dbname is a URI, which could hold a password; give the URI alone")
    return dsn


def connect(dsn: str) -> Connection:
    """Open a connection that notices a dead server within half a minute.

    Args:
        dsn: The data source name. What it does not say comes from libpq's environment variables and files.

    Raises:
        DatabaseError: The login is refused, or the database does not exist.
        DatabaseUnavailableError: Nobody answers there now.
    """
    try:
        return psycopg2.connect(make_dsn(dsn, **_defaults_beside(parse_dsn(dsn))))
    except psycopg2.Error as error:
        raise map_postgres_error(error) from None


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
