"""Re-encrypting what older keys masked under the primary key, while the job goes on writing.

A table is walked from its first page to its last, a few pages a transaction. Each transaction locks the rows of older
keys in its pages, turns their tokens into tokens of the primary key, and writes them back together with the new key id.
So a row is of one key at any moment, a process that is killed has lost nothing, and the next one finds what is left by
the key ids. Walking by pages needs no index, and reads the table once.

*What it needs*: the role ``maskline_remasker``, and a keyset that holds the old keys, enabled, and the new primary.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import psycopg2
import tenacity
from psycopg2 import sql

from maskline.errors import DatabaseError, MasklineError, TokenError
from maskline.keys import Keyset
from maskline.masking import Masker
from maskline.postgres.connection import Connect, Connection
from maskline.postgres.failures import translated
from maskline.postgres.retrying import retrying
from maskline.postgres.statements import LOCK_TIMEOUT_SECONDS, REJECTED_MESSAGES, STATEMENT_TIMEOUT_SECONDS
from maskline.stream import Column, StreamDefinition

PAGES_A_TRANSACTION = 32
PAGES_OF_BODIES_A_TRANSACTION = 1
"""Bodies may be a mebibyte each, and a page then points to some dozens of them."""

logger = logging.getLogger(__name__)


class RenewedColumn(msgspec.Struct, frozen=True):
    """A column whose values are re-encrypted.

    Attributes:
        name: The column.
        array: The type of an array of its values, ready for a cast.
        renew: Turns a value of an older key into that of the primary key; raises a `TokenError` where it cannot.
    """

    name: str
    array: str
    renew: Callable[[Any], object]


class RemaskedTable(msgspec.Struct, frozen=True):
    """A table whose rows are re-encrypted.

    Attributes:
        name: The table. It may be partitioned.
        columns: The columns that are re-encrypted.
        pages: How many pages to handle in one transaction.
    """

    name: str
    columns: tuple[RenewedColumn, ...]
    pages: int = PAGES_A_TRANSACTION


def stream_table(stream: StreamDefinition, keyset: Keyset) -> RemaskedTable:
    """Return the table of a stream, with its masked columns.

    Args:
        stream: The stream.
        keyset: The keyset whose primary key masks.
    """
    masker = Masker(keyset)
    columns = (
        RenewedColumn(column.name, column.type.array, _renewer(masker, column)) for column in stream.masked_columns
    )
    return RemaskedTable(stream.table, tuple(columns))


def rejections_table(keyset: Keyset) -> RemaskedTable:
    """Return ``rejected_messages``, whose bodies are sealed with the same keyset.

    Args:
        keyset: The keyset whose primary key seals.
    """
    masker = Masker(keyset)
    body = RenewedColumn("body", "bytea[]", lambda sealed: masker.reseal_body(bytes(sealed)))
    return RemaskedTable(REJECTED_MESSAGES, (body,), PAGES_OF_BODIES_A_TRANSACTION)


class Unrenewed(msgspec.Struct, frozen=True):
    """A row that stays as it is.

    Attributes:
        row: Its message id, or its place in the table where it is older than those.
        why: What stands in the way, without values.
    """

    row: str
    why: str


class Step(msgspec.Struct, frozen=True):
    """What one transaction did.

    Attributes:
        remasked: How many rows it re-encrypted.
        unrenewed: The rows that it had to leave as they are.
    """

    remasked: int
    unrenewed: list[Unrenewed]


class Remasker:
    """Re-encrypts one table, over a connection that it opens when needed and replaces when lost.

    Args:
        connect: Opens a connection.
        table: What to re-encrypt.
        keyset: The keyset: rows of its older keys are re-encrypted under its primary key. Rows that name no key are
            left alone, unless the keyset holds raw keys, which are there to read such rows.
        stopping: When set, it ends after the transaction under way.
        retry_seconds: How long a transaction is tried again while Postgres is not available.
    """

    def __init__(
        self,
        connect: Connect,
        table: RemaskedTable,
        keyset: Keyset,
        stopping: threading.Event,
        retry_seconds: float = 300,
    ) -> None:
        self._connect = connect
        self._table = table
        self._primary_key_id = keyset.primary_key_id
        self._old_key_ids = sorted(keyset.key_ids - {keyset.primary_key_id})
        self._takes_rows_without_key = keyset.has_raw_keys
        self._stopping = stopping
        self._connection: Connection | None = None
        self._patiently = retrying(retry_seconds, stopping, _log_retry)
        self._select, self._update = _statements(table)

    def takes(self, key_id: int | None) -> bool:
        """Say whether a run re-encrypts the rows of a key, or with None those that name no key."""
        return self._takes_rows_without_key if key_id is None else key_id in self._old_key_ids

    def run(self) -> Iterator[Step]:
        """Walk the table once, and yield what each transaction did.

        Raises:
            DatabaseUnavailableError: Postgres was not available for `retry_seconds`. What was committed stays.
            DatabaseError: The table, a column or a right is missing.
        """
        try:
            pages = self._patiently(self._in_transaction, self._count_pages)
            for first in range(0, pages, self._table.pages):
                if self._stopping.is_set():
                    return
                yield self._patiently(self._in_transaction, self._renew_pages, first)
        finally:
            self._close()

    def _in_transaction(self, work: Callable[..., Any], *arguments: object) -> Any:
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection, self._connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_SECONDS}s'")
                cursor.execute(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
                return work(cursor, *arguments)
        except psycopg2.Error as error:
            self._close()
            meaning = translated(error)
            raise meaning if isinstance(meaning, MasklineError) else DatabaseError(f"postgres: {meaning}") from None

    def _count_pages(self, cursor: Any) -> int:
        # Of the largest partition: pages of one number are handled in all of them at once.
        cursor.execute(
            "SELECT coalesce(max(pg_relation_size(relation)), 0) / current_setting('block_size')::bigint"
            " FROM (SELECT to_regclass(%s) UNION SELECT relid FROM pg_partition_tree(to_regclass(%s))) AS t (relation)",
            [self._table.name, self._table.name],
        )
        ((pages,),) = cursor.fetchall()
        return int(pages)

    def _renew_pages(self, cursor: Any, first: int) -> Step:
        places = [f"({first},0)", f"({first + self._table.pages},0)"]
        cursor.execute(self._select, [*places, self._old_key_ids, self._takes_rows_without_key])
        unrenewed: list[Unrenewed] = []
        renewed: list[tuple[object, ...]] = []
        for partition, place, row, *values in cursor.fetchall():
            try:
                renewed.append((partition, place, *self._renewed(values)))
            except TokenError as error:
                unrenewed.append(Unrenewed(row, str(error)))
        if renewed:
            arrays = [list(array) for array in zip(*renewed, strict=True)]
            cursor.execute(self._update, [self._primary_key_id, *arrays])
        return Step(cursor.rowcount if renewed else 0, unrenewed)

    def _renewed(self, values: Sequence[object]) -> Iterator[object]:
        for column, value in zip(self._table.columns, values, strict=True):
            try:
                yield None if value is None else column.renew(value)
            except TokenError as error:
                raise TokenError(f"{column.name} {error}") from None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _renewer(masker: Masker, column: Column) -> Callable[[str], str]:
    domain = column.domain or ""
    limit = column.type.max_length

    def renew(token: str) -> str:
        renewed = masker.remask(token, domain)
        if limit is not None and len(renewed) > limit:
            raise TokenError(f"would become {len(renewed)} characters long, and the column takes {limit}")
        return renewed

    return renew


def _statements(table: RemaskedTable) -> tuple[sql.Composable, sql.Composable]:
    """Return what reads and locks the rows of some pages, and what writes them back.

    A row is found again by partition and place, which cannot change while it is locked.
    """
    table_name = sql.Identifier(table.name)
    names = [sql.Identifier(column.name) for column in table.columns]
    row_name = sql.SQL("coalesce(message_id::text, 'ctid ' || ctid::text)")
    select = sql.SQL(
        "SELECT {columns} FROM {table}"
        " WHERE ctid > %s::tid AND ctid < %s::tid AND (key_id = ANY (%s::bigint[]) OR %s AND key_id IS NULL)"
        " FOR UPDATE"
    ).format(columns=_listed(sql.SQL("tableoid"), sql.SQL("ctid::text"), row_name, *names), table=table_name)
    update = sql.SQL(
        "UPDATE {table} AS target SET {assignments} FROM unnest({arrays}) AS batch ({columns})"
        " WHERE target.tableoid = batch.partition AND target.ctid = batch.place"
    ).format(
        table=table_name,
        assignments=_listed(sql.SQL("key_id = %s"), *(sql.SQL("{0} = batch.{0}").format(name) for name in names)),
        arrays=_listed(*(sql.SQL("%s::" + array) for array in ("oid[]", "tid[]", *(c.array for c in table.columns)))),
        columns=_listed(sql.SQL("partition"), sql.SQL("place"), *names),
    )
    return select, update


def _listed(*parts: sql.Composable) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _log_retry(attempt: tenacity.RetryCallState) -> None:
    if attempt.outcome is not None:
        logger.warning("re-encrypting failed, trying again: %s", attempt.outcome.exception())
