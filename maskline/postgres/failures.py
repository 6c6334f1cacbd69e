"""What an error of Postgres means: try again, the row's fault, or stop the job.

Source: https://www.postgresql.org/docs/current/errcodes-appendix.html
"""

from __future__ import annotations

import psycopg2
from psycopg2 import errorcodes

from maskline.errors import DatabaseError, DatabaseUnavailableError, MasklineError, Remedy

_ROW_CLASSES = ("22", "23", "44", "54")
_ROW_CODES = (errorcodes.RAISE_EXCEPTION,)
_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
_TRANSIENT_CODES = (errorcodes.LOCK_NOT_AVAILABLE, errorcodes.OBJECT_IN_USE, errorcodes.READ_ONLY_SQL_TRANSACTION)
_REMEDIES = {
    errorcodes.UNDEFINED_TABLE: Remedy.MIGRATE,
    errorcodes.UNDEFINED_COLUMN: Remedy.MIGRATE,
    errorcodes.INSUFFICIENT_PRIVILEGE: Remedy.TAKE_ROLE,
}
_REFUSED_LOGINS = (
    "authentication failed",
    "definition of service",
    "does not exist",
    "invalid integer value",
    "invalid port number",
    "invalid sslmode value",
    "is not permitted to log in",
    "no password supplied",
    "no pg_hba.conf entry",
    "no such database",
    "no such user",
    "permission denied",
    "root certificate file",
    "server does not support SSL",
    "service file",
)


class RowRejectedError(Exception):
    """Postgres refused a statement for the values of a row in it. The message holds names and never a value."""


def map_postgres_error(error: psycopg2.Error) -> MasklineError | RowRejectedError:
    """Return what an error means to the job.

    Args:
        error: What psycopg2 raised.

    Returns:
        A `RowRejectedError` for values that a table does not take (classes 22 and 23, a view's or trigger's check, an
        index entry too long); a `DatabaseUnavailableError` where the same statement may succeed later (connection,
        serialization, deadlock, resources, shutdown, lock or statement time-out, a standby that was promoted); else a
        `DatabaseError`: no table, no column, no permission, no login, or anything not known to be harmless.
    """
    code = error.pgcode
    if code is None:
        return _without_code(error)
    if code.startswith(_ROW_CLASSES) or code in _ROW_CODES:
        return RowRejectedError(_described(error, code))
    if code.startswith(_TRANSIENT_CLASSES) or code in _TRANSIENT_CODES:
        return DatabaseUnavailableError(f"postgres: {_described(error, code)}")
    # The server's own text names tables, columns and roles and quotes no values; that of a trigger's RAISE may.
    is_raised = error.diag.source_function == "exec_stmt_raise"
    text = "a trigger raised an error" if is_raised else (error.diag.message_primary or "").strip()
    return DatabaseError(f"postgres: {text} ({_described(error, code)})", remedy=_REMEDIES.get(code))


def _without_code(error: psycopg2.Error) -> MasklineError:
    """Tell errors of a login and a connection apart, for which psycopg2 gives no SQLSTATE."""
    text = " ".join(str(error).split())
    if any(mark in text for mark in _REFUSED_LOGINS):
        return DatabaseError(f"postgres: {text}")
    if isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError):
        return DatabaseUnavailableError(f"postgres: {text or 'the connection was lost'}")
    return DatabaseError(f"postgres: {type(error).__name__} without a SQLSTATE")


def _described(error: psycopg2.Error, code: str) -> str:
    try:
        name = errorcodes.lookup(code).lower()
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
