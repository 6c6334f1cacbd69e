"""What an error of Postgres means: whether to try again, or whether a row, the table or the set-up is at fault.

A rejection is the row's only where its cause can be in the message. docs/design.md has all of it as a table.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import re
from collections.abc import Collection

import psycopg
from psycopg import errors

from maskline.errors import (
    DatabaseError,
    DatabaseLoginError,
    DatabaseUnavailableError,
    KeysetError,
    MasklineError,
    Remedy,
    TableError,
)
from maskline.postgres.ledger import KEYS_REFUSED, ROWS_MISSING

_WORD_BEGINS = re.compile("(?<=[a-z0-9])(?=[A-Z])")

_ROW_CLASSES = ("09", "20", "21", "22", "23", "2F", "38", "39", "44", "54", "P0")
"""What is wrong with a value, or what a trigger raises for one: it has no branch for it, or does not return."""

_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
_TRANSACTION_TIMEOUT = "25P04"
"""Of PostgreSQL 17, for which earlier versions of psycopg have no name."""

_TRANSIENT_CODES = (
    errors.LockNotAvailable.sqlstate,
    errors.ObjectInUse.sqlstate,
    errors.ReadOnlySqlTransaction.sqlstate,
    errors.IdleInTransactionSessionTimeout.sqlstate,
    _TRANSACTION_TIMEOUT,
)
_TABLE_CAUSES = {
    errors.SequenceGeneratorLimitExceeded.sqlstate: "a sequence of the table is at its end",
    errors.FeatureNotSupported.sqlstate: "the table cannot be written so",
}
_REMEDIES = {
    errors.UndefinedTable.sqlstate: Remedy.MIGRATE,
    errors.UndefinedColumn.sqlstate: Remedy.MIGRATE,
    errors.UndefinedFunction.sqlstate: Remedy.MIGRATE,
    errors.InsufficientPrivilege.sqlstate: Remedy.TAKE_ROLE,
}
_FAILED_AUTHENTICATION = "authentication failed"
_NOTHING_SUPPLIED = "no password supplied"
_REFUSED_LOGINS = (
    "bad value for",
    "certificate verify failed",
    "definition of service",
    "does not exist",
    "invalid integer value",
    "invalid port number",
    "invalid sslmode value",
    "is not permitted to log in",
    "no pg_hba.conf entry",
    "no such database",
    "no such user",
    "permission denied",
    "pg_hba.conf rejects connection",
    "root certificate file",
    "server certificate for",
    "server does not support SSL",
    "service file",
)
UNSTORABLE_TEXT = "a text that Postgres cannot store (NUL or a lone surrogate)"

_RAISED_BY_A_TRIGGER = "exec_stmt_raise"
_ROW_POLICY = "ExecWithCheckOptions"
"""Where in the server an error comes from: that is alike in every language of its messages."""


class RowRejectedError(Exception):
    """Postgres rejected a statement because of the values of a row. The message holds names and never a value.

    Args:
        detail: What it objected to.
        names_field: Whether that names a column or a constraint, so that other rows may well pass.
    """

    def __init__(self, detail: str, *, names_field: bool = False) -> None:
        super().__init__(detail)
        self.names_field = names_field


def map_postgres_error(
    error: psycopg.Error, filled_columns: Collection[str] | None = None
) -> MasklineError | RowRejectedError:
    """Return what an error means to the job.

    Args:
        error: What psycopg raised.
        filled_columns: The columns that the statement gave values for, or None where that is not known.

    Returns:
        A `RowRejectedError` for anything raised while a row was executed (classes 09, 20 to 23, 2F, 38, 39, 44, 54 and
        P0, a trigger's own code, a row policy, rows that a trigger or rule swallowed); a `TableError` for what no
        message can cause (no partition, a sequence at its end, a column without a value); a `DatabaseUnavailableError`
        where the same statement may succeed later (connection, serialization, deadlock, resources, shutdown, a time-out
        for a lock, a statement, a transaction or an idle one, a standby that was promoted); a `DatabaseLoginError`
        where a password is not taken; else a `DatabaseError`: no table, no column, no permission, no database, or
        anything not known to be harmless.
    """
    code = error.sqlstate
    if code is None:
        return _without_code(error)
    if code.startswith(_TRANSIENT_CLASSES) or code in _TRANSIENT_CODES:
        return DatabaseUnavailableError(f"postgres: {_described(error, code)}")
    if code == KEYS_REFUSED:
        return refused_keys_error(f"key {error.diag.message_detail} is not enabled")
    cause = _cause_of_the_table(error, code, filled_columns)
    if cause is not None:
        return TableError(f"postgres: {cause} ({_described(error, code)})")
    if code == ROWS_MISSING:
        return RowRejectedError(f"{code} a trigger or a rule of the table swallowed it")
    function = error.diag.source_function
    is_row_policy = code == errors.InsufficientPrivilege.sqlstate and function == _ROW_POLICY
    if code.startswith(_ROW_CLASSES) or function == _RAISED_BY_A_TRIGGER or is_row_policy:
        names_field = bool(error.diag.column_name or error.diag.constraint_name)
        return RowRejectedError(_described(error, code), names_field=names_field)
    # The server's own text names tables, columns and roles and quotes no values; within a function it may.
    text = (
        "a function that the table calls failed" if error.diag.context else (error.diag.message_primary or "").strip()
    )
    return DatabaseError(f"postgres: {text} ({_described(error, code)})", remedy=_REMEDIES.get(code))


def refused_keys_error(what: str) -> KeysetError:
    """Return the error of a job that masks under a key which the database does not let it use.

    Args:
        what: Which key, and its state: ``key 7 is disabled``.
    """
    return KeysetError(
        f"keyset: {what} in this database, so nothing is written under it, and the messages stay in the queue; start "
        "the job with a keyset whose primary key is enabled there"
    )


def _cause_of_the_table(error: psycopg.Error, code: str, filled_columns: Collection[str] | None) -> str | None:
    if error.diag.source_function == _RAISED_BY_A_TRIGGER:
        return None
    if code == errors.CheckViolation.sqlstate and not error.diag.constraint_name:
        return "the table has no partition for a row"
    if code == errors.NotNullViolation.sqlstate and filled_columns is not None:
        column = error.diag.column_name
        if column is not None and column not in filled_columns:
            return f"column {column} is NOT NULL, and the stream does not fill it"
    return _TABLE_CAUSES.get(code)


def _without_code(error: psycopg.Error) -> MasklineError | RowRejectedError:
    """Tell errors of a login and a connection apart, for which psycopg gives no SQLSTATE."""
    if isinstance(error, psycopg.DataError):
        return RowRejectedError(UNSTORABLE_TEXT)
    lines = "; ".join(filter(None, (" ".join(line.split()) for line in str(error).splitlines())))
    text = lines.removeprefix("connection failed: ").removeprefix("connection is bad: ")
    if _FAILED_AUTHENTICATION in text:
        return DatabaseLoginError(f"postgres: {text}", remedy=Remedy.GIVE_PASSWORD)
    if _NOTHING_SUPPLIED in text:
        return DatabaseError(f"postgres: {text}", remedy=Remedy.GIVE_PASSWORD)
    if any(mark in text for mark in _REFUSED_LOGINS):
        return DatabaseError(f"postgres: {text}", remedy=Remedy.CHECK_DSN)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return DatabaseUnavailableError(f"postgres: {text or 'the connection was lost'}")
    return DatabaseError(f"postgres: {type(error).__name__} without a SQLSTATE")


def _described(error: psycopg.Error, code: str) -> str:
    try:
        name = _WORD_BEGINS.sub("_", errors.lookup(code).__name__).lower()
    except KeyError:
        name = "unknown"
    about = [
        f"{what} {value}"
        for what, value in (
            ("table", error.diag.table_name),
            ("column", error.diag.column_name),
            ("constraint", error.diag.constraint_name),
        )
        if value
    ]
    return ", ".join([f"{code} {name}", *about])
