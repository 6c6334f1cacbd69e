"""Connections to Postgres: how one is opened, and what its errors mean.

Source: https://www.postgresql.org/docs/current/libpq-connect.html
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

import msgspec
import psycopg
from psycopg import waiting
from psycopg.abc import PQGen, Query
from psycopg.adapt import AdaptersMap
from psycopg.conninfo import make_conninfo
from psycopg.pq import TransactionStatus
from psycopg.types.string import TextLoader

from maskline.errors import DatabaseError, MasklineError
from maskline.postgres.binary_arrays import BinaryArray, BinaryArrayDumper
from maskline.postgres.dsn import TLS_MODES, PostgresAuth, PostgresDsn, libpq_parameters
from maskline.postgres.failures import map_postgres_error
from maskline.postgres.rds import MakeToken, rds_endpoint, rds_token

Result = TypeVar("Result")


Cursor = psycopg.Cursor[tuple[Any, ...]]
"""Runs statements, several in one text if need be, of which the last has the rows."""


class _StatementsCursor(psycopg.ClientCursor[tuple[Any, ...]]):
    def execute(self, query: Query, *arguments: Any, **options: Any) -> Self:
        super().execute(query, *arguments, **options)
        return self.set_result(-1)


class Notice(NamedTuple):
    """What the server said beside an answer.

    Attributes:
        severity: ``WARNING``, ``NOTICE``, ``DEBUG`` and the like, in any language of the server's messages.
        text: The message.
    """

    severity: str
    text: str


class Connection(psycopg.Connection[tuple[Any, ...]]):
    """A psycopg connection that keeps the server's notices, and whose waits for answers can be taken over.

    Attributes:
        notices: What the server said beside its answers, oldest first. Whoever asks clears it before.
        wait_for_answer: Waits in the place of psycopg, in all of the process: it is given the connection, and what
            waits for so many seconds at most.
    """

    wait_for_answer: ClassVar[Callable[[Connection, Callable[[float], Any]], Any] | None] = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.notices: list[Notice] = []
        self.add_notice_handler(
            lambda said: self.notices.append(Notice(said.severity_nonlocalized or "", said.message_primary or ""))
        )

    @property
    def has_warning(self) -> bool:
        """Whether a notice is a warning; how much else the server says is a setting."""
        return any(notice.severity == "WARNING" for notice in self.notices)

    def wait(self, gen: PQGen[Result], interval: float = 0.1, timeout: float | None = None) -> Result:
        """Wait for an answer; see `psycopg.Connection.wait`."""
        take_over = type(self).wait_for_answer
        if take_over is None or timeout is not None:
            return super().wait(gen, interval, timeout)
        answer: Result = take_over(self, functools.partial(waiting.wait, gen, self.pgconn.socket, interval))
        return answer


NO_TRANSACTION_TIMEOUTS = (
    "SELECT set_config(name, '0', true) FROM pg_settings"
    " WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')"
)
"""What a transaction that may be open for long begins with, whatever the server allows others; not all know both."""

Connect = Callable[[], Connection]
"""Opens a connection."""


class _Adapters:
    """Has identifiers and addresses come as the texts that they travel as, and arrays go as they are."""

    def __init__(self) -> None:
        self.adapters = AdaptersMap(psycopg.adapters)
        self.connection = None
        for name in ("uuid", "inet", "cidr"):
            self.adapters.register_loader(name, TextLoader)
        self.adapters.register_dumper(BinaryArray, BinaryArrayDumper)


_NAMED_BY_LIBPQ = "connection to server"

_DEFAULTS: dict[str, str | int] = {
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
        ArgumentError: `dsn` is not a data source name.
        DatabaseError: The login is refused, the database does not exist, or TLS is required and not there.
        DatabaseUnavailableError: Nobody answers there now, or AWS gives out no credentials.
    """
    text = str(dsn)
    parameters = libpq_parameters(text)
    try:
        added = _defaults_beside(parameters)
        if isinstance(dsn, PostgresDsn):
            if dsn.requires_tls:
                added |= _tls_beside(parameters)
            if dsn.auth is PostgresAuth.RDS_IAM:
                added["password"] = token(rds_endpoint(parameters))
        connection = open_connection(text, **added)
    except psycopg.Error as error:
        meaning = map_postgres_error(error)
        raise _naming_server(meaning, parameters) if isinstance(meaning, MasklineError) else meaning from None
    if isinstance(dsn, PostgresDsn) and dsn.requires_tls and not _is_private(connection):
        connection.close()
        raise DatabaseError("postgres: the connection is without TLS, which is required; see sslmode")
    return connection


def open_connection(dsn: str, **parameters: str | int) -> Connection:
    """Open a connection by the rules of libpq alone.

    Statements are put together here, so that they may be several and of any kind, and none is prepared: a pooler could
    look for it in another session.

    Args:
        dsn: The data source name.
        parameters: Those of libpq that are to go before what it says.

    Raises:
        psycopg.Error: Nobody answers, or the login is refused.
    """
    connection = Connection.connect(
        make_conninfo(dsn, **parameters),
        prepare_threshold=None,
        cursor_factory=_StatementsCursor,
        context=_Adapters(),
    )
    if not (connection.pgconn.parameter_status(b"DateStyle") or b"ISO").startswith(b"ISO"):
        # Whatever the database or the environment prefers: the driver reads no time in another style.
        connection.execute("SET DateStyle = ISO")
        connection.commit()
    return connection


@contextlib.contextmanager
def transaction(connection: Connection) -> Iterator[Cursor]:
    """Run a block in the open transaction, or in a new one; commit it, or roll it back if the block raises.

    Args:
        connection: A connection that is not in autocommit.

    Yields:
        A cursor.
    """
    try:
        with connection.cursor() as cursor:
            yield cursor
    except BaseException:
        if connection.info.transaction_status == TransactionStatus.ACTIVE:
            connection.close()  # a signal ended the wait for an answer
        elif not connection.closed:
            connection.rollback()
        raise
    connection.commit()


def _naming_server(error: MasklineError, given: dict[str, str]) -> MasklineError:
    """Return an error that says which server it is about; libpq leaves that out where it does not wait itself."""
    if _NAMED_BY_LIBPQ in str(error):
        return error
    names = {"dbname": "database", "user": "user", "host": "host", "port": "port", "service": "service"}
    server = ", ".join(f"{names[name]} {given[name]}" for name in names if given.get(name))
    text = str(error).removeprefix("postgres: ")
    return type(error)(f"postgres: {server or 'the server of the environment'}: {text}", remedy=error.remedy)


class TlsState(msgspec.Struct, frozen=True):
    """How far a connection is protected from others on the network.

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
        """Whether it uses a Unix socket, which has no TLS."""
        return _is_socket(self.host)

    @property
    def is_private(self) -> bool:
        """Whether nobody on the network can read it."""
        return self.version is not None or self.is_socket

    @property
    def is_verified(self) -> bool:
        """Whether the server has proved to be the one that was asked for."""
        return self.is_socket or (self.version is not None and self.mode == "verify-full")


def tls_state(connection: Connection) -> TlsState:
    """Return how far a connection is protected from others on the network.

    Args:
        connection: The connection, open.
    """
    options = {option.keyword: option.val for option in connection.pgconn.info}
    version, cipher = _tls_of_server(connection) if connection.pgconn.ssl_in_use else (None, None)
    return TlsState(
        version=version,
        cipher=cipher,
        mode=(options.get(b"sslmode") or b"prefer").decode(),
        host=connection.info.host or "",
    )


def _tls_of_server(connection: Connection) -> tuple[str, str | None]:
    """Return version and cipher as the server knows them; a pooler between has a connection of its own to it."""
    is_idle = connection.info.transaction_status == TransactionStatus.IDLE
    query = "SELECT pid, version, cipher FROM pg_catalog.pg_stat_ssl WHERE pid = pg_catalog.pg_backend_pid()"
    ((pid, version, cipher),) = connection.execute(query).fetchall()
    if is_idle:
        connection.rollback()  # a transaction that it began would be in the way of what comes next
    return (version, cipher) if pid == connection.info.backend_pid else ("TLS", None)


def _is_private(connection: Connection) -> bool:
    """Return what `TlsState.is_private` does, without asking the server."""
    return bool(connection.pgconn.ssl_in_use) or _is_socket(connection.info.host or "")


def _is_socket(host: str) -> bool:
    return host.startswith(("/", "@"))


def _tls_beside(given: dict[str, str]) -> dict[str, str | int]:
    """Return what to add to a data source name for TLS to be required before anything is sent.

    Raises:
        DatabaseError: A service that the environment names could say otherwise.
    """
    always: dict[str, str | int] = {} if "gssencmode" in given else {"gssencmode": "disable"}
    if "sslmode" in given:
        return always
    if "PGSERVICE" in os.environ:
        raise DatabaseError("postgres: TLS is required, and PGSERVICE names a service; give sslmode in the DSN")
    return always if os.environ.get("PGSSLMODE") in TLS_MODES else always | {"sslmode": "require"}


def _defaults_beside(given: dict[str, str]) -> dict[str, str | int]:
    """Return what to add to a data source name; libpq would prefer it to a service file and to the environment."""
    # Whatever encoding is set elsewhere, or is the database's own: text of a login is Unicode.
    always: dict[str, str | int] = {"fallback_application_name": "maskline", "client_encoding": "UTF8"}
    if "service" in given or "PGSERVICE" in os.environ:
        return always
    said = {*given, *({"connect_timeout"} if "PGCONNECT_TIMEOUT" in os.environ else ())}
    return always | {name: value for name, value in _DEFAULTS.items() if name not in said}


@contextlib.contextmanager
def map_postgres_errors() -> Iterator[None]:
    """Map psycopg's errors to a `MasklineError`, for commands that a person runs.

    Raises:
        MasklineError: What the error means; see `maskline.postgres.failures`.
    """
    try:
        yield
    except psycopg.Error as error:
        meaning = map_postgres_error(error)
        raise meaning if isinstance(meaning, MasklineError) else DatabaseError(f"postgres: {meaning}") from None
