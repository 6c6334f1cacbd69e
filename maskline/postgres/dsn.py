"""Where a database is, as a value: parsed once, then carried by settings, transforms and job graphs.

Source: https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING
"""

from __future__ import annotations

import msgspec
import psycopg2
from psycopg2.extensions import parse_dsn

from maskline.errors import ArgumentError

_SECRETS = ("password", "sslpassword", "oauth_client_secret")


class PostgresDsn(msgspec.Struct, frozen=True):
    """A data source name, known to hold no password: job graphs carry it, and engines store and show those.

    Make one with `parse`.

    Attributes:
        text: A libpq connection string or URI.
    """

    text: str

    @classmethod
    def parse(cls, dsn: str | PostgresDsn) -> PostgresDsn:
        """Read a data source name.

        Args:
            dsn: A libpq connection string or URI, ``postgresql://user@host/database`` say; what is parsed already is
                returned as it is.

        Raises:
            ArgumentError: It is not one, or holds a password. The error does not repeat it.
        """
        if isinstance(dsn, PostgresDsn):
            return dsn
        try:
            parameters = parse_dsn(dsn)
        except (psycopg2.ProgrammingError, TypeError):
            raise ArgumentError("dsn: not a data source name; give one like postgresql://user@host/database") from None
        for secret in _SECRETS:
            if parameters.get(secret):
                raise ArgumentError(
                    f"dsn: holds a {secret}, which the job graph would show; leave it out and give it by PGPASSWORD, "
                    "PGPASSFILE or a service file"
                )
        if "://" in parameters.get("dbname", ""):
            raise ArgumentError("dsn: its dbname is a URI, which could hold a password; give the URI alone")
        return cls(dsn)

    @property
    def parameters(self) -> dict[str, str]:
        """What it says, by the names of libpq's parameters."""
        return dict(parse_dsn(self.text))

    def __str__(self) -> str:
        """The data source name."""
        return self.text
