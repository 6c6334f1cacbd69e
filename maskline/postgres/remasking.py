"""Re-encrypting what older keys masked under the primary key, while the job goes on writing.

A table is walked from its first page to its last. The rows of older keys in a few pages are listed, and then taken in
small transactions: each locks its rows, turns their tokens into those of the primary key, and writes them back with the
new key id. So a row is of one key at any moment, a process that is killed has lost nothing, and the next one finds what
is left by the key ids. Walking by pages needs no index.

*What it needs*: the role ``maskline_remasker``, and a keyset that holds the old keys, enabled, and the new primary.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import psycopg2
import tenacity
from psycopg2 import sql

from maskline.errors import TokenError
from maskline.keys import Keyset
from maskline.masking import Masker
from maskline.postgres.connection import Connect, Connection
from maskline.postgres.failures import RowRefusedError, translated
from maskline.postgres.key_usage import OVER_ALL_ROWS
from maskline.postgres.retrying import retrying
from maskline.postgres.statements import REJECTED_MESSAGES, STATEMENT_TIMEOUT_SECONDS
from maskline.stream import Column, StreamDefinition

PAGES_A_LISTING = 32
MOST_ROWS = 1000
MOST_BYTES = 8 * 1024 * 1024
"""How much one transaction takes: bodies may be a mebibyte each."""

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
    """

    name: str
    columns: tuple[RenewedColumn, ...]


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
    return RemaskedTable(REJECTED_MESSAGES, (body,))


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


class _Place(NamedTuple):
    """Where a row lies; a place without a row in it any more is harmless."""

    partition: int
    place: str


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
        self._list, self._select, self._update = (
            _list_statement(table),
            _select_statement(table),
            _update_statement(table),
        )

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
            for first in range(0, pages, PAGES_A_LISTING):
                for places in self._patiently(self._in_transaction, self._list_pages, first):
                    if self._stopping.is_set():
                        return
                    yield from self._renewed_or_bisected(places)
        finally:
            self._close()

    def _renewed_or_bisected(self, places: Sequence[_Place]) -> Iterator[Step]:
        try:
            yield self._patiently(self._in_transaction, self._renew, places)
        except RowRefusedError as refusal:
            if len(places) == 1:
                yield Step(0, [Unrenewed(f"ctid {places[0].place}", f"is refused by the database: {refusal}")])
                return
            middle = len(places) // 2
            yield from self._renewed_or_bisected(places[:middle])
            yield from self._renewed_or_bisected(places[middle:])

    def _in_transaction(self, work: Callable[..., Any], *arguments: object) -> Any:
        try:
            if self._connection is None:
                self._connection = self._connect()
            with self._connection, self._connection.cursor() as cursor:
                cursor.execute(f"{OVER_ALL_ROWS}; SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'")
                return work(cursor, *arguments)
        except psycopg2.Error as error:
            meaning = translated(error)
            if not isinstance(meaning, RowRefusedError):
                self._close()
            raise meaning from None

    def _count_pages(self, cursor: Any) -> int:
        # Of the largest partition: pages of one number are handled in all of them at once.
        cursor.execute(
            "SELECT max(pg_relation_size(relation)) / current_setting('block_size')::bigint"
            " FROM (SELECT %s::regclass UNION SELECT relid FROM pg_partition_tree(%s::regclass)) AS t (relation)",
            [self._table.name, self._table.name],
        )
        ((pages,),) = cursor.fetchall()
        return int(pages)

    def _list_pages(self, cursor: Any, first: int) -> list[list[_Place]]:
        """Return the places of rows of older keys in some pages, grouped by what one transaction takes."""
        pages = [f"({first},0)", f"({first + PAGES_A_LISTING},0)"]
        cursor.execute(self._list, [*pages, self._old_key_ids, self._takes_rows_without_key])
        groups: list[list[_Place]] = []
        held = 0
        for partition, place, size in cursor:
            if not groups or len(groups[-1]) == MOST_ROWS or held + size > MOST_BYTES:
                groups.append([])
                held = 0
            groups[-1].append(_Place(partition, place))
            held += size
        return groups

    def _renew(self, cursor: Any, places: Sequence[_Place]) -> Step:
        arrays = [[place.partition for place in places], [place.place for place in places]]
        cursor.execute(self._select, [*arrays, self._old_key_ids, self._takes_rows_without_key])
        unrenewed: list[Unrenewed] = []
        renewed: list[tuple[object, ...]] = []
        for partition, place, row, *values in cursor:
            try:
                renewed.append((partition, place, *self._renewed(values)))
            except TokenError as error:
                unrenewed.append(Unrenewed(row, str(error)))
        if renewed:
            new_values = [list(array) for array in zip(*renewed, strict=True)]
            cursor.execute(self._update, [self._primary_key_id, *new_values])
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


_PLACE = sql.SQL("target.tableoid, target.ctid::text")
_OF_OLDER_KEYS = sql.SQL("(target.key_id = ANY (%s::bigint[]) OR %s AND target.key_id IS NULL)")
_AT_PLACES = sql.SQL("target.tableoid = batch._partition AND target.ctid = batch._place")


def _list_statement(table: RemaskedTable) -> sql.Composable:
    """Return what lists the rows of older keys in some pages, and how large they are."""
    sizes = (sql.SQL("coalesce(octet_length(target.{}), 0)").format(sql.Identifier(c.name)) for c in table.columns)
    return sql.SQL(
        "SELECT {place}, {size} FROM {table} AS target"
        " WHERE target.ctid > %s::tid AND target.ctid < %s::tid AND {of_older_keys}"
    ).format(
        place=_PLACE,
        size=sql.SQL(" + ").join([sql.SQL("0"), *sizes]),
        table=sql.Identifier(table.name),
        of_older_keys=_OF_OLDER_KEYS,
    )


def _select_statement(table: RemaskedTable) -> sql.Composable:
    """Return what reads and locks rows by their places; a foreign key to one of them may still be checked meanwhile."""
    row = sql.SQL("coalesce(target.message_id::text, 'ctid ' || target.ctid::text)")
    values = (sql.SQL("target.{}").format(sql.Identifier(column.name)) for column in table.columns)
    return sql.SQL(
        "SELECT {columns} FROM {table} AS target JOIN unnest(%s::oid[], %s::tid[]) AS batch (_partition, _place)"
        " ON {at_places} WHERE {of_older_keys} FOR NO KEY UPDATE OF target"
    ).format(
        columns=_listed(_PLACE, row, *values),
        table=sql.Identifier(table.name),
        at_places=_AT_PLACES,
        of_older_keys=_OF_OLDER_KEYS,
    )


def _update_statement(table: RemaskedTable) -> sql.Composable:
    """Return what writes rows back, with the id of the key that they are of now."""
    new_values = [sql.Identifier(f"_{number}") for number in range(len(table.columns))]
    assignments = (
        sql.SQL("{} = batch.{}").format(sql.Identifier(column.name), value)
        for column, value in zip(table.columns, new_values, strict=True)
    )
    arrays = ("oid[]", "tid[]", *(column.array for column in table.columns))
    return sql.SQL(
        "UPDATE {table} AS target SET {assignments} FROM unnest({arrays}) AS batch ({columns}) WHERE {at_places}"
    ).format(
        table=sql.Identifier(table.name),
        assignments=_listed(sql.SQL("key_id = %s"), *assignments),
        arrays=_listed(*(sql.SQL("%s::" + array) for array in arrays)),
        columns=_listed(sql.SQL("_partition"), sql.SQL("_place"), *new_values),
        at_places=_AT_PLACES,
    )


def _listed(*parts: sql.Composable) -> sql.Composable:
    return sql.SQL(", ").join(parts)


def _log_retry(attempt: tenacity.RetryCallState) -> None:
    if attempt.outcome is not None:
        logger.warning("re-encrypting failed, trying again: %s", attempt.outcome.exception())
