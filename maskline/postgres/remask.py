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
import psycopg

from maskline.errors import TokenError
from maskline.keys import Keyset
from maskline.postgres.connection import Connect, Connection, Cursor, transaction
from maskline.postgres.failures import RowRejectedError, map_postgres_error
from maskline.postgres.key_registry import KeyUse, check_key_is_enabled
from maskline.postgres.key_usage import FULL_SCAN_SETTINGS
from maskline.postgres.remask_statements import RemaskedTable, list_statement, select_statement, update_statement
from maskline.postgres.statements import STATEMENT_TIMEOUT_SECONDS
from maskline.retry import log_retry, retrying

PAGES_PER_LISTING = 32
MAX_ROWS = 1000
MAX_BYTES = 8 * 1024 * 1024
"""How much one transaction takes: bodies may be a mebibyte each."""

_SETTINGS = (
    f"SET LOCAL TRANSACTION ISOLATION LEVEL READ COMMITTED; {FULL_SCAN_SETTINGS};"
    f" SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT_SECONDS}s'"
)

logger = logging.getLogger(__name__)


class NotRemasked(msgspec.Struct, frozen=True):
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
        not_remasked: The rows that it had to leave as they are.
    """

    remasked: int
    not_remasked: list[NotRemasked]


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
        self._key_use = KeyUse(f"remask of {table.name}")
        self._knows_keys = False
        self._retry = retrying(retry_seconds, stopping, log_retry(logger, "re-encrypting"))
        self._list, self._select, self._update = (
            list_statement(table),
            select_statement(table),
            update_statement(table),
        )

    def takes(self, key_id: int | None) -> bool:
        """Return whether a run re-encrypts the rows of a key, or with None those that name no key."""
        return self._takes_rows_without_key if key_id is None else key_id in self._old_key_ids

    def run(self) -> Iterator[Step]:
        """Walk the table once, and yield what each transaction did.

        Raises:
            DatabaseUnavailableError: Postgres was not available for `retry_seconds`. What was committed stays.
            DatabaseError: The table, a column or a permission is missing.
            KeysetError: The primary key is not enabled in the database.
        """
        try:
            pages = self._retry(self._in_transaction, self._count_pages)
            for first in range(0, pages, PAGES_PER_LISTING):
                self._retry(self._in_transaction, self._enter_primary)
                for places in self._retry(self._in_transaction, self._list_pages, first):
                    if self._stopping.is_set():
                        return
                    yield from self._remask_or_bisect(places)
        finally:
            self._close()

    def _remask_or_bisect(self, places: Sequence[_Place]) -> Iterator[Step]:
        try:
            yield self._retry(self._in_transaction, self._remask, places)
        except RowRejectedError as rejection:
            if len(places) == 1:
                yield Step(0, [NotRemasked(f"ctid {places[0].place}", f"is refused by the database: {rejection}")])
                return
            middle = len(places) // 2
            yield from self._remask_or_bisect(places[:middle])
            yield from self._remask_or_bisect(places[middle:])

    def _in_transaction(self, work: Callable[..., Any], *arguments: object) -> Any:
        try:
            if self._connection is None:
                self._connection = self._connect()
            with transaction(self._connection) as cursor:
                cursor.execute(_SETTINGS)
                return work(cursor, *arguments)
        except psycopg.Error as error:
            meaning = map_postgres_error(error)
            if not isinstance(meaning, RowRejectedError):
                self._close()
            raise meaning from None

    def _count_pages(self, cursor: Cursor) -> int:
        # Of the largest partition: pages of one number are handled in all of them at once.
        cursor.execute(
            "SELECT max(pg_relation_size(relation)) / current_setting('block_size')::bigint"
            " FROM (SELECT %s::regclass UNION SELECT relid FROM pg_partition_tree(%s::regclass)) AS t (relation)",
            [self._table.name, self._table.name],
        )
        ((pages,),) = cursor.fetchall()
        return int(pages)

    def _enter_primary(self, cursor: Cursor) -> None:
        self._knows_keys = self._key_use.enter(cursor.connection, [self._primary_key_id])

    def _list_pages(self, cursor: Cursor, first: int) -> list[list[_Place]]:
        """Return the places of rows of older keys in some pages, grouped by what one transaction takes."""
        pages = [f"({first},0)", f"({first + PAGES_PER_LISTING},0)"]
        cursor.execute(self._list, [*pages, self._old_key_ids, self._takes_rows_without_key])
        groups: list[list[_Place]] = []
        held = 0
        for partition, place, size in cursor:
            if not groups or len(groups[-1]) == MAX_ROWS or held + size > MAX_BYTES:
                groups.append([])
                held = 0
            groups[-1].append(_Place(partition, place))
            held += size
        return groups

    def _remask(self, cursor: Cursor, places: Sequence[_Place]) -> Step:
        if self._knows_keys:
            check_key_is_enabled(cursor, self._primary_key_id)
        arrays = [[place.partition for place in places], [place.place for place in places]]
        cursor.execute(self._select, [*arrays, self._old_key_ids, self._takes_rows_without_key])
        not_remasked: list[NotRemasked] = []
        remasked_values: list[tuple[object, ...]] = []
        bindings = len(self._table.bound_to)
        for partition, place, row, *selected in cursor:
            bound_to, values = selected[:bindings], selected[bindings:]
            try:
                remasked_values.append((partition, place, *self._remasked_values(values, bound_to)))
            except TokenError as error:
                not_remasked.append(NotRemasked(row, str(error)))
        if remasked_values:
            partitions, ctids, *new_values = zip(*remasked_values, strict=True)
            sent = (column.sent(values) for column, values in zip(self._table.columns, new_values, strict=True))
            cursor.execute(self._update, [self._primary_key_id, list(partitions), list(ctids), *sent])
        return Step(cursor.rowcount if remasked_values else 0, not_remasked)

    def _remasked_values(self, values: Sequence[object], bound_to: Sequence[object]) -> Iterator[object]:
        for column, value in zip(self._table.columns, values, strict=True):
            try:
                yield None if value is None else column.remask(value, *bound_to)
            except TokenError as error:
                raise TokenError(f"{column.name} {error}") from None

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
