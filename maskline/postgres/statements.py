"""The statements that the job runs, built with `psycopg2.sql`: names quoted, every value a parameter.

One statement inserts a whole micro-batch: each column travels as one array, and ``ON CONFLICT (message_id) DO
NOTHING RETURNING message_id`` makes it idempotent and says which rows are new. As one statement it is one transaction,
in one round trip, and works behind PgBouncer in transaction mode.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from psycopg2 import sql

from maskline.postgres.arrays import array_literal
from maskline.records import MaskedRow, Receipt, Rejection
from maskline.streams.definition import StreamDefinition

LOCK_TIMEOUT_SECONDS = 10
STATEMENT_TIMEOUT_SECONDS = 30

REJECTED_MESSAGES = "rejected_messages"

OUTCOME_LOCK = 0x6D61736B6C696E65
"""The advisory lock of the database that is taken while outcomes are written ("maskline" in ASCII)."""


class _HasReceipt(Protocol):
    @property
    def receipt(self) -> Receipt: ...


Record = TypeVar("Record", bound=_HasReceipt)


class InsertStatement(Generic[Record]):
    """An idempotent insert of a micro-batch of records.

    Args:
        table: The table to insert into.
        arrays: The columns that travel as arrays, by name, with the type of each array.
        other_table: The table whose messages are left alone: a message that became a row once never becomes a
            rejection later, nor the other way about, whatever changed in between.
        lock: The function that takes `OUTCOME_LOCK`. Rows share it and rejections, which are few, have it alone, for
            two transactions at once would not see each other's message.
    """

    def __init__(self, table: str, arrays: dict[str, str], other_table: str, lock: str) -> None:
        columns = sql.SQL(", ").join(map(sql.Identifier, arrays))
        self.query: sql.Composable = sql.SQL(
            "SET LOCAL lock_timeout = {lock_timeout}; SET LOCAL statement_timeout = {statement_timeout};"
            " SELECT {lock}({outcome_lock});"
            " INSERT INTO {table} ({columns}) SELECT {columns} FROM unnest({arrays}) AS batch ({columns})"
            " WHERE NOT EXISTS (SELECT 1 FROM {other_table} AS other WHERE other.message_id = batch.message_id)"
            " ON CONFLICT (message_id) DO NOTHING RETURNING message_id"
        ).format(
            lock_timeout=sql.Literal(f"{LOCK_TIMEOUT_SECONDS}s"),
            statement_timeout=sql.Literal(f"{STATEMENT_TIMEOUT_SECONDS}s"),
            lock=sql.SQL(lock),
            outcome_lock=sql.Literal(OUTCOME_LOCK),
            table=sql.Identifier(table),
            columns=columns,
            arrays=sql.SQL(", ").join(sql.SQL("%s::" + array_type) for array_type in arrays.values()),
            other_table=sql.Identifier(other_table),
        )

    def parameters(self, records: Sequence[Record]) -> Sequence[object]:
        """Return the arrays for a micro-batch, one a column.

        Args:
            records: The micro-batch, not empty.
        """
        raise NotImplementedError


class InsertRows(InsertStatement[MaskedRow]):
    """Inserts masked rows into their stream's table.

    Args:
        stream: The stream.
    """

    def __init__(self, stream: StreamDefinition) -> None:
        arrays = {column.name: column.type.array for column in stream.columns}
        arrays |= {"create_date": "date[]", "message_id": "uuid[]", "sent_at": "timestamptz[]", "key_id": "bigint[]"}
        super().__init__(stream.table, arrays, other_table=REJECTED_MESSAGES, lock="pg_advisory_xact_lock_shared")

    def parameters(self, records: Sequence[MaskedRow]) -> Sequence[object]:
        """Return the arrays for a micro-batch; create_date is the UTC date of SentTimestamp, so it never changes."""
        return [
            *map(array_literal, zip(*(row.values for row in records), strict=True)),
            array_literal(str(row.sent_at.date()) for row in records),
            array_literal(row.receipt.message_id for row in records),
            array_literal(str(row.sent_at) for row in records),
            array_literal(str(row.key_id) for row in records),
        ]


class InsertRejections(InsertStatement[Rejection]):
    """Inserts rejections into ``rejected_messages``.

    Args:
        stream: The stream that rejected them.
    """

    def __init__(self, stream: StreamDefinition) -> None:
        arrays = {
            "message_id": "uuid[]",
            "stream": "varchar[]",
            "reason": "varchar[]",
            "detail": "text[]",
            "sent_at": "timestamptz[]",
            "receive_count": "integer[]",
            "key_id": "bigint[]",
            "body": "bytea[]",
        }
        super().__init__(REJECTED_MESSAGES, arrays, other_table=stream.table, lock="pg_advisory_xact_lock")

    def parameters(self, records: Sequence[Rejection]) -> Sequence[object]:
        """Return the arrays for a micro-batch."""
        return [
            [rejection.receipt.message_id for rejection in records],
            [rejection.stream for rejection in records],
            [str(rejection.reason) for rejection in records],
            [rejection.detail for rejection in records],
            [rejection.sent_at for rejection in records],
            [rejection.receive_count for rejection in records],
            [rejection.key_id for rejection in records],
            [rejection.sealed_body for rejection in records],
        ]
