"""The tables that are re-encrypted: which columns, how a value of each, and by which statements."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import msgspec
from psycopg import sql

from maskline.errors import TokenError
from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.postgres.arrays import array_literal
from maskline.postgres.statements import REJECTED_MESSAGES
from maskline.streams.column_mask import column_remask
from maskline.streams.definition import Column, StreamDefinition


class RemaskedColumn(msgspec.Struct, frozen=True):
    """A column whose values are re-encrypted.

    Attributes:
        name: The column.
        array: The type of an array of its values, ready for a cast.
        remask: Turns a value of an older key into that of the primary key; raises a `TokenError` where it cannot. What
            its table's values are bound to is given behind the value.
    """

    name: str
    array: str
    remask: Callable[..., object]

    @property
    def holds_arrays(self) -> bool:
        """Whether its values are arrays, which travel as text: ``unnest`` would take nested ones apart."""
        return self.array.endswith("[][]")

    @property
    def transport(self) -> str:
        """The type of the array that new values travel as."""
        return "text[]" if self.holds_arrays else self.array

    @property
    def text_cast(self) -> str:
        """What makes text of a value that is none."""
        return "::text" if self.holds_arrays or self.array == "jsonb[]" else ""

    @property
    def cast(self) -> str:
        """What makes a column's value of one that has traveled."""
        return f"::{self.array.removesuffix('[]')}" if self.holds_arrays else ""

    def sent(self, values: Sequence[object]) -> object:
        """Return new values as the statement's parameter."""
        if not self.holds_arrays:
            return list(values)
        return [None if value is None else array_literal(cast("list[object]", value)) for value in values]


class RemaskedTable(msgspec.Struct, frozen=True):
    """A table whose rows are re-encrypted.

    Attributes:
        name: The table, with its schema or found by the search path. It may be partitioned.
        columns: The columns that are re-encrypted.
        bound_to: What else of a row its values are bound to by associated data, in SQL, the table being ``target``.
    """

    name: str
    columns: tuple[RemaskedColumn, ...]
    bound_to: tuple[str, ...] = ()


def stream_table(stream: StreamDefinition, keyset: Keyset) -> RemaskedTable:
    """Return the table of a stream, with the columns whose tokens the keyset can bring under another key.

    Args:
        stream: The stream.
        keyset: The keyset whose primary key masks.
    """
    masker = Masker(keyset)
    columns = (
        RemaskedColumn(column.name, column.type.array, _remask_value(masker, column))
        for column in stream.reversible_columns
    )
    return RemaskedTable(stream.table, tuple(columns))


def rejections_table(keyset: Keyset) -> RemaskedTable:
    """Return ``rejected_messages``, whose bodies are sealed with the same keyset.

    Args:
        keyset: The keyset whose primary key seals.
    """
    masker = Masker(keyset)

    def remask(sealed: memoryview, stream: str, message_id: str) -> bytes:
        return masker.remask_body(bytes(sealed), stream, message_id)

    return RemaskedTable(
        REJECTED_MESSAGES,
        (RemaskedColumn("body", "bytea[]", remask),),
        bound_to=("target.stream", "target.message_id::text"),
    )


def _remask_value(masker: Masker, column: Column) -> Callable[[Any], object]:
    remask = column_remask(column, masker)
    limit = column.type.max_length
    if limit is None:
        return remask

    def remask_within_limit(stored: Any) -> object:
        remasked = remask(stored)
        for token in remasked if column.type.is_array else [remasked]:
            if token is not None and len(token) > limit:
                raise TokenError(f"would become {len(token)} characters long, and the column takes {limit}")
        return remasked

    return remask_within_limit


_PLACE = sql.SQL("target.tableoid, target.ctid::text")
_OF_OLDER_KEYS = sql.SQL("(target.key_id = ANY (%s::bigint[]) OR %s AND target.key_id IS NULL)")
_AT_PLACES = sql.SQL("target.tableoid = batch._partition AND target.ctid = batch._place")


def list_statement(table: RemaskedTable) -> sql.Composed:
    """Return what lists the rows of older keys in some pages, and how large they are."""
    sizes = (
        sql.SQL("coalesce(octet_length(target.{}{}), 0)").format(sql.Identifier(column.name), sql.SQL(column.text_cast))
        for column in table.columns
    )
    return sql.SQL(
        "SELECT {place}, {size} FROM {table} AS target"
        " WHERE target.ctid > %s::tid AND target.ctid < %s::tid AND {of_older_keys}"
    ).format(
        place=_PLACE,
        size=sql.SQL(" + ").join([sql.SQL("0"), *sizes]),
        table=sql.Identifier(*table.name.split(".")),
        of_older_keys=_OF_OLDER_KEYS,
    )


def select_statement(table: RemaskedTable) -> sql.Composed:
    """Return what reads and locks rows by their places; a foreign key to one of them may still be checked meanwhile."""
    row = sql.SQL("coalesce(target.message_id::text, 'ctid ' || target.ctid::text)")
    values = (_selected(column) for column in table.columns)
    return sql.SQL(
        "SELECT {columns} FROM {table} AS target JOIN unnest(%s::oid[], %s::tid[]) AS batch (_partition, _place)"
        " ON {at_places} WHERE {of_older_keys} FOR NO KEY UPDATE OF target"
    ).format(
        columns=_listed(_PLACE, row, *map(sql.SQL, table.bound_to), *values),
        table=sql.Identifier(*table.name.split(".")),
        at_places=_AT_PLACES,
        of_older_keys=_OF_OLDER_KEYS,
    )


def update_statement(table: RemaskedTable) -> sql.Composed:
    """Return what writes rows back, with the id of the key that they are of now."""
    new_values = [sql.Identifier(f"_{number}") for number in range(len(table.columns))]
    assignments = (
        sql.SQL("{} = batch.{}" + column.cast).format(sql.Identifier(column.name), value)
        for column, value in zip(table.columns, new_values, strict=True)
    )
    arrays = ("oid[]", "tid[]", *(column.transport for column in table.columns))
    return sql.SQL(
        "UPDATE {table} AS target SET {assignments} FROM unnest({arrays}) AS batch ({columns}) WHERE {at_places}"
    ).format(
        table=sql.Identifier(*table.name.split(".")),
        assignments=_listed(sql.SQL("key_id = %s"), *assignments),
        arrays=_listed(*(sql.SQL("%s::" + array) for array in arrays)),
        columns=_listed(sql.SQL("_partition"), sql.SQL("_place"), *new_values),
        at_places=_AT_PLACES,
    )


def _selected(column: RemaskedColumn) -> sql.Composable:
    # As text, for the driver reads a document's numbers as floats, and loses digits.
    as_text = sql.SQL("::text" if column.array == "jsonb[]" else "")
    return sql.SQL("target.{}").format(sql.Identifier(column.name)) + as_text


def _listed(*parts: sql.Composable) -> sql.Composable:
    return sql.SQL(", ").join(parts)
