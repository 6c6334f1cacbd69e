"""Nobody sees a value before the log says so."""

from __future__ import annotations

import pytest
from psycopg.pq import TransactionStatus

from maskline.errors import DatabaseError, UsageError
from maskline.postgres.access_log import record_access
from maskline.postgres.connection import Connection
from tests.maskline.postgres.records import connected, rows_of, run, value_of


def enter(connection: Connection, *, reason: str = "ticket 7", action: str = "unmask", row_count: int = 12) -> None:
    """Enter a recovery."""
    record_access(
        connection, action=action, stream="user_logins", column="masked_ip", row_count=row_count, reason=reason
    )


def test_an_entry_is_committed_when_the_call_returns(dsn: str, database: Connection) -> None:
    with connected(dsn, autocommit=False) as connection:
        enter(connection, reason="it's 100% needed \\ 😀")

        entries = rows_of(
            database,
            "SELECT role_name, action, stream, column_name, row_count, reason,"
            " accessed_at BETWEEN now() - interval '1 minute' AND now() FROM pii_access_log",
        )
        status = connection.info.transaction_status

    assert entries == [("postgres", "unmask", "user_logins", "masked_ip", 12, "it's 100% needed \\ 😀", True)]
    assert status == TransactionStatus.IDLE


def test_the_permissions_of_maskline_analyst_are_enough(dsn: str, database: Connection) -> None:
    with connected(dsn, role="maskline_analyst") as analyst:
        enter(analyst)

    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 1


@pytest.mark.parametrize("reason", ["", " ", "\t\n "])
def test_a_recovery_without_a_reason_is_refused(database: Connection, reason: str) -> None:
    with pytest.raises(UsageError, match=r"reason: missing; say why the values are needed$"):
        enter(database, reason=reason)

    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 0


def test_a_role_that_may_not_write_to_the_log_may_not_see_a_value(dsn: str, database: Connection) -> None:
    refused = pytest.raises(DatabaseError, match="permission denied for table pii_access_log")
    with connected(dsn, role="maskline_auditor") as auditor, refused:
        enter(auditor)

    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 0


def test_a_read_only_session_may_not_see_a_value(database: Connection) -> None:
    run(database, "SET default_transaction_read_only = on")

    with pytest.raises(Exception, match="25006 read_only_sql_transaction"):
        enter(database)

    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 0


@pytest.mark.parametrize(("action", "row_count"), [("x" * 33, 1), ("unmask", -1)])
def test_an_entry_that_the_log_does_not_take_is_an_error(database: Connection, action: str, row_count: int) -> None:
    with pytest.raises(DatabaseError):
        enter(database, action=action, row_count=row_count)

    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 0
