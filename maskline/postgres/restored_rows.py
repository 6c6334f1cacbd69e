"""The statement that brings rows back from a copy: as the job's own, with the time and key that each row had."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from psycopg import sql

from maskline.postgres.arrays import array_literal
from maskline.postgres.statements import InsertStatement, Parameter, row_arrays, row_parameters
from maskline.records import Receipt, Redacted
from maskline.streams.definition import StreamDefinition

RESTORES = "lake_restores"
"""The table that says which transactions brought rows back, so that a copy is not given them twice."""


class RestoredRow(Redacted, frozen=True):
    """A row that is brought back from a copy.

    Attributes:
        receipt: Its message; there is nothing to delete.
        sent_at: SentTimestamp, UTC.
        key_id: The id of the key that made its tokens.
        values: The values of the stream's columns, in the order of its definition.
        processed_at: When it was first written, as text that Postgres reads, or None.
        stream: The name of its stream.
        subjects: Fingerprints of whose it is; none where that is nobody.
    """

    receipt: Receipt
    sent_at: datetime
    key_id: int
    values: tuple[object, ...]
    processed_at: str | None
    stream: str
    subjects: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        """Name the row without its values."""
        return f"RestoredRow({self.receipt.message_id})"


class InsertRestoredRows(InsertStatement[RestoredRow]):
    """Inserts rows from a copy into their stream's table, and enters the transaction into ``lake_restores``.

    Args:
        stream: The stream.
        lake_table: The id of the copy's Delta table.
    """

    warns_of_age = False

    def __init__(self, stream: StreamDefinition, lake_table: str) -> None:
        super().__init__(stream.table, row_arrays(stream) | {"processed_at": "timestamptz[]"})
        self.streams = (stream,)
        self._lake_table = lake_table

    def before(self, records: Sequence[RestoredRow]) -> sql.Composed:
        """Return the statements that come before it, of which the last enters the transaction."""
        (stream,) = self.streams
        return super().before(records) + sql.SQL(
            "INSERT INTO {} (stream, lake_table, row_count) VALUES ({}, {}, {}); "
        ).format(
            sql.Identifier(RESTORES), sql.Literal(stream.name), sql.Literal(self._lake_table), sql.Literal(len(records))
        )

    def parameters(self, records: Sequence[RestoredRow]) -> Sequence[Parameter]:
        """Return the arrays, one a column."""
        return [
            *row_parameters(records, self._arrays),
            array_literal([row.processed_at for row in records]),
        ]
