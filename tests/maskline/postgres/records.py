"""Rows and rejections as the mask hands them on, and short ways to look into a database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from maskline.postgres.connection import Connection, open_connection
from maskline.postgres.statements import InsertStatement
from maskline.records import MaskedRow, Reason, Receipt, Rejection

SENT_AT = datetime(2023, 11, 5, 12, 30, tzinfo=UTC)
USER = "424cdd21-063a-43a7-b91b-7ca1a833afae"


def message_id(number: int) -> str:
    """Return the MessageId of the numbered message."""
    return f"6f9619ff-8b86-4011-b42d-{number:012}"


def row(
    number: int = 1,
    *,
    user_id: str | None = USER,
    device_type: str | None = "android",
    masked_ip: str | None = "AQAAAAE-ip-198-51-100-7-token",
    masked_device_id: str | None = "AQAAAAE-device-593-47-1024-token",
    locale: str | None = "RU",
    app_version: str | None = "2.3.0",
    sent_at: datetime = SENT_AT,
) -> MaskedRow:
    """Return the masked row of the numbered message."""
    values = (user_id, device_type, masked_ip, masked_device_id, locale, app_version)
    return MaskedRow(Receipt(message_id(number), f"handle-{number}"), sent_at, 2, 4_000_000_001, values, b"\x01sealed")


def rejection(number: int = 1, *, reason: Reason = Reason.NOT_JSON, sent_at: datetime = SENT_AT) -> Rejection:
    """Return the rejection of the numbered message."""
    receipt = Receipt(message_id(number), f"handle-{number}")
    return Rejection(receipt, "user_logins", reason, "is not JSON", sent_at, 3, 4_000_000_001, b"\x00\x01'\\sealed")


def rows_of(connection: Connection, query: str, parameters: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Run a query and return all it brings."""
    with connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        return cursor.fetchall()


def value_of(connection: Connection, query: str, parameters: Sequence[object] = ()) -> Any:
    """Run a query that brings one value, and return it."""
    ((value,),) = rows_of(connection, query, parameters)
    return value


def run(connection: Connection, statement: str | sql.SQL | sql.Composed, parameters: Sequence[object] = ()) -> None:
    """Run a statement."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)


def run_insert(connection: Connection, statement: InsertStatement[Any], records: Sequence[Any]) -> None:
    """Run a statement that inserts, after what comes before it, in the transaction under way or in one of its own."""
    with connection.transaction() if connection.autocommit else nullcontext():
        run(connection, statement.before(records))
        with psycopg.RawCursor(connection) as cursor:
            cursor.execute(statement.query, statement.parameters(records))


@contextmanager
def connected(dsn: str, *, role: str | None = None, autocommit: bool = True) -> Iterator[Connection]:
    """Connect for the time of a block, with the permissions of a role alone where one is named."""
    connection = open_connection(dsn)
    connection.autocommit = autocommit
    if role:
        run(connection, f"SET ROLE {role}")
    try:
        yield connection
    finally:
        connection.close()


def waiting_for_a_lock(connection: Connection) -> bool:
    """Say whether anybody waits for a lock in the connection's database."""
    return bool(
        value_of(
            connection,
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'",
        )
    )
