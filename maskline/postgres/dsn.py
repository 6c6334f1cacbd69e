"""Where a database is, as a value: parsed once, then carried by settings, transforms and job graphs.

Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
"""

from __future__ import annotations

import contextlib
import enum

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from maskline.errors import ArgumentError
from maskline.postgres.rds import rds_endpoint

_SECRETS = ("password", "sslpassword", "oauth_client_secret")

TLS_MODES = ("require", "verify-ca", "verify-full")
"""The values of ``sslmode`` that take no connection without TLS."""


class PostgresAuth(enum.StrEnum):
    """How a connection proves who it is."""

    PASSWORD = "password"  # noqa: S105 - the name of a way
    """By whatever libpq finds: a password, a certificate, Kerberos, or nothing where the server asks for none."""

    RDS_IAM = "rds-iam"
    """By a token of AWS, made anew for each connection; see `maskline.postgres.rds`."""


class PostgresDsn(msgspec.Struct, frozen=True):
    """A data source name, known to hold no password: job graphs carry it, and engines store and show those.

    Make one with `parse`.

    Attributes:
        text: A libpq connection string or URI.
        auth: How a connection proves who it is.
        requires_tls: Whether a connection without TLS is refused, before a password or a token is sent over it.
    """

    text: str
    auth: PostgresAuth = PostgresAuth.PASSWORD
    requires_tls: bool = False

    @classmethod
    def parse(
        cls, dsn: str | PostgresDsn, auth: PostgresAuth = PostgresAuth.PASSWORD, *, require_tls: bool = False
    ) -> PostgresDsn:
        """Read a data source name.

        Args:
            dsn: A libpq connection string or URI, ``postgresql://user@host/database`` say; what is parsed already is
                returned as it is.
            auth: As the attribute. ``rds-iam`` takes the host of an RDS instance, cluster or proxy and a user in the
                data source name, and TLS.
            require_tls: As the attribute ``requires_tls``.

        Raises:
            ArgumentError: It is not one, holds a password, or does not go with `auth` or `require_tls`. The error does
                not repeat it.
        """
        if isinstance(dsn, PostgresDsn):
            return dsn
        parameters = libpq_parameters(dsn)
        for port in filter(None, parameters.get("port", "").split(",")):
            if not port.isdecimal():
                raise ArgumentError("dsn: its port is not a number; an IPv6 address stands in brackets: [::1]:5432")
        for secret in _SECRETS:
            if parameters.get(secret):
                raise ArgumentError(
                    f"dsn: holds a {secret}, which the job graph would show; leave it out and give it by PGPASSWORD, "
                    "PGPASSFILE or a service file"
                )
        if "://" in parameters.get("dbname", ""):
            raise ArgumentError("dsn: its dbname is a URI, which could hold a password; give the URI alone")
        require_tls = require_tls or auth is PostgresAuth.RDS_IAM
        if require_tls:
            _check_tls(parameters)
        if auth is PostgresAuth.RDS_IAM:
            rds_endpoint(parameters)
        return cls(dsn, auth, require_tls)

    @property
    def parameters(self) -> dict[str, str]:
        """Its parameters, by the names of libpq."""
        return libpq_parameters(self.text)

    def __str__(self) -> str:
        """The data source name."""
        return self.text


def libpq_parameters(dsn: str) -> dict[str, str]:
    """Return the parameters of a data source name, by the names of libpq.

    Args:
        dsn: The data source name.

    Raises:
        ArgumentError: `dsn` is not a data source name. The error does not repeat it.
    """
    if isinstance(dsn, str):
        with contextlib.suppress(psycopg.ProgrammingError, UnicodeEncodeError):
            return {name: str(value) for name, value in conninfo_to_dict(dsn).items()}
    hint = "; a % in it is written %25" if isinstance(dsn, str) and "%" in dsn else ""
    raise ArgumentError(f"dsn: not a data source name; give one like postgresql://user@host/database{hint}")


def _check_tls(parameters: dict[str, str]) -> None:
    mode = parameters.get("sslmode")
    if mode is not None and mode not in TLS_MODES:
        raise ArgumentError(
            f"dsn: sslmode={mode} takes connections without TLS, too; leave it out, or give sslmode=verify-full"
        )
    if mode is None and "service" in parameters:
        raise ArgumentError(
            "dsn: the sslmode of a service file cannot be seen, and TLS is required; give sslmode=verify-full here"
        )
