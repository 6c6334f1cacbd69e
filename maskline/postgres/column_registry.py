"""The registry of masked columns in a database: how each is masked, in which domain and normal form.

It is entered when a job or ``migrate`` first uses a stream, and compared ever after: a token is readable in the domain
that it was made in, and joins with those that were made alike.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec

from maskline.postgres.connection import Connection, map_postgres_errors, transaction
from maskline.streams.columns import Column
from maskline.streams.stream import StreamDefinition

_IS_KNOWN = "SELECT to_regclass('maskline_columns') IS NOT NULL"
_QUALIFIED_NAME = """
    SELECT quote_ident(nspname) || '.' || quote_ident(relname)
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass(%s)
"""
_TABLE_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped"
_COLUMNS = """
    SELECT column_name, domain, mask, normalization, stream FROM maskline_columns
    WHERE table_name = %s ORDER BY stream, column_name
"""
_USE_COLUMN = "SELECT maskline_use_column(%s, %s, %s, %s, %s, %s, %s)"
_FORGET = "DELETE FROM maskline_columns WHERE table_name = %s AND stream = %s"
_FORGET_OF_OTHERS = "DELETE FROM maskline_columns WHERE table_name = %s AND stream = %s AND column_name = %s"
_ENTER = """
    INSERT INTO maskline_columns (stream, table_name, column_name, domain, mask, normalization, versions)
    VALUES (%s, %s, %s, %s, %s, %s, %s)
"""


class KnownColumn(msgspec.Struct, frozen=True):
    """How a column has been masked so far.

    Attributes:
        name: The column.
        domain: The domain of its tokens; empty where its mask takes none.
        mask: The mask, as a definition writes it, with its padding, and with what it leaves in clear of a document:
            ``deterministic, pad = 16``.
        normalization: The rule that gave its values a normal form, or None.
        stream: The stream that masked it.
    """

    name: str
    domain: str
    mask: str
    normalization: str | None
    stream: str

    @property
    def as_written(self) -> str:
        """What a definition says for it to be masked so: ``mask = "deterministic", pad = 16``."""
        name, comma, more = self.mask.partition(", ")
        return f'mask = "{name}"{comma}{more}'


class ColumnComparison(msgspec.Struct):
    """The differences between a definition and a database.

    Attributes:
        problems: What a job must not start with, a sentence each with what to do.
        warnings: What it may start with, and an operator should know.
    """

    problems: list[str] = []
    warnings: list[str] = []


def compare_columns(connection: Connection, stream: StreamDefinition) -> ColumnComparison:
    """Compare how a stream masks its columns with how they have been masked so far, by whatever stream of the table.

    A stream that was renamed is another one, and so are the default domains of its columns.

    Args:
        connection: A connection that may read ``maskline_columns``.
        stream: The stream.

    Returns:
        Nothing where the table's columns are new to the database, or the schema older than ``maskline_columns``.

    Raises:
        psycopg.Error: It cannot be read.
    """
    comparison = ColumnComparison()
    columns = {column.name: column for column in stream.columns}
    in_table = {name for (name,) in connection.execute(_TABLE_COLUMNS, [stream.table]).fetchall()}
    of_table = _known_columns(connection, stream)
    known = [column for column in of_table if column.stream == stream.name]
    known_names = {column.name for column in known}
    for before in of_table:
        if before.stream != stream.name:
            if before.name in columns and before.name not in known_names:
                _compare(stream, before, columns[before.name], comparison)
        elif before.name not in in_table:
            if not _is_continued(before, columns.values(), known_names):
                comparison.problems.append(_gone(stream, before, known_names))
        elif before.name in columns:
            _compare(stream, before, columns[before.name], comparison)
    return comparison


def enter_columns(connection: Connection, stream: StreamDefinition) -> None:
    """Enter how a stream masks those of its columns that the database does not know yet.

    A new name takes the place of one that is gone from the table and was masked alike: the column was renamed.

    Args:
        connection: A connection with the permissions of ``maskline_writer``.
        stream: The stream.

    Raises:
        psycopg.Error: It cannot be entered.
    """
    if connection.execute(_IS_KNOWN).fetchall() != [(True,)]:
        return
    for table in tables_of(connection, stream):
        known = {column.name for column in _known_columns(connection, stream) if column.stream == stream.name}
        for column in stream.masked_columns:
            if column.name not in known:
                connection.execute(_USE_COLUMN, _entry(stream, table, column))


def adopt_columns(connection: Connection, stream: StreamDefinition) -> tuple[list[KnownColumn], list[KnownColumn]]:
    """Replace what the database knows of the columns of a stream by what its definition says.

    Args:
        connection: A connection of the owner of ``maskline_columns``, not in a transaction.
        stream: The stream.

    Returns:
        What was known before, and what is known now.

    Raises:
        MasklineError: It cannot be changed.
    """
    with map_postgres_errors(), transaction(connection) as cursor:
        before = _known_columns(connection, stream)
        columns = {column.name: column for column in stream.columns}
        for table in tables_of(connection, stream):
            cursor.execute(_FORGET, [table, stream.name])
            for other in before:
                if other.stream != stream.name and other.name in columns:
                    differences = ColumnComparison()
                    _compare(stream, other, columns[other.name], differences)
                    if differences.problems:
                        cursor.execute(_FORGET_OF_OTHERS, [table, other.stream, other.name])
            for column in stream.masked_columns:
                cursor.execute(_ENTER, _entry(stream, table, column))
        return before, _known_columns(connection, stream)


def tables_of(connection: Connection, stream: StreamDefinition) -> list[str]:
    """Return the name by which ``maskline_columns`` has the table of a stream, or nothing where it is not there.

    Args:
        connection: A connection that may read the catalog, which every role may.
        stream: The stream.

    Raises:
        psycopg.Error: It cannot be read.
    """
    return [name for (name,) in connection.execute(_QUALIFIED_NAME, [stream.table]).fetchall()]


def _known_columns(connection: Connection, stream: StreamDefinition) -> list[KnownColumn]:
    if connection.execute(_IS_KNOWN).fetchall() != [(True,)]:
        return []
    return [
        KnownColumn(*row)
        for table in tables_of(connection, stream)
        for row in connection.execute(_COLUMNS, [table]).fetchall()
    ]


def _compare(stream: StreamDefinition, before: KnownColumn, column: Column, comparison: ColumnComparison) -> None:
    name = f"column {stream.table}.{before.name}"
    by = "" if before.stream == stream.name else f" by the stream {before.stream}"
    if column.mask is None:
        comparison.problems.append(
            f"{name} holds tokens{by and f' made{by}'}, and the definition would store values in clear beside them; "
            f"write {before.as_written} there{'' if by else ' again'}, or give the values in clear a column of their "
            "own"
        )
    elif _mask_text(column) != before.mask:
        comparison.problems.append(
            f'{name} was masked{by} by "{before.mask}", and the definition says "{_mask_text(column)}"; write '
            "what it was, or give the new tokens a column of their own"
        )
    elif (column.domain or "") != before.domain:
        comparison.problems.append(
            f"{name} has tokens{by and f' made{by}'} of the domain {before.domain}, and the definition makes those of "
            f"{column.domain}, "
            f'which do not join and are not unmasked together; write domain = "{before.domain}" there'
        )
    elif _normalization(column) != before.normalization:
        comparison.warnings.append(
            f"{name} was masked with normalize = {_quoted(before.normalization)}, and the definition says "
            f"{_quoted(_normalization(column))}: the tokens of equal values before and after may differ"
        )


def _is_continued(before: KnownColumn, columns: Iterable[Column], known_names: set[str]) -> bool:
    """Return whether a column that is gone goes on under a name that is new, masked as it was."""
    return any(
        column.name not in known_names and (column.domain or "", _mask_text(column)) == (before.domain, before.mask)
        for column in columns
        if column.mask is not None
    )


def _gone(stream: StreamDefinition, before: KnownColumn, known_names: set[str]) -> str:
    new = [column.name for column in stream.masked_columns if column.name not in known_names]
    return (
        f"column {stream.table}.{before.name}, which holds tokens of the domain {before.domain or 'of its mask'}, is "
        f'gone from the table; if it was renamed, write {before.as_written} and domain = "{before.domain}" at '
        f"{' or '.join(new) or 'its new name'}, and its tokens stay readable; if it was dropped on purpose, run "
        "streams adopt"
    )


def _entry(stream: StreamDefinition, table: str, column: Column) -> list[str | None]:
    assert column.mask is not None, "masked columns only"
    rule = column.normalization
    version = None if rule is None else f"{rule.name}/{rule.version}"
    return [
        stream.name,
        table,
        column.name,
        column.domain or "",
        _mask_text(column),
        _normalization(column),
        version,
    ]


def _mask_text(column: Column) -> str:
    """Return a column's mask with all that a definition says of it, without which its tokens are read otherwise."""
    assert column.mask is not None, "masked columns only"
    said = [column.mask.name]
    if column.mask.pad is not None:
        said.append(f"pad = {column.mask.pad}")
    if column.clear_paths:
        said.append(f"clear = {json.dumps(sorted(path.text for path in column.clear_paths))}")
    return ", ".join(said)


def _normalization(column: Column) -> str | None:
    return None if column.normalization is None else column.normalization.name


def _quoted(name: str | None) -> str:
    return "nothing" if name is None else f'"{name}"'
