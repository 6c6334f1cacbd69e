"""Checks that keep values in clear out of masked columns, whoever writes them."""

from __future__ import annotations

from collections.abc import Collection

from maskline.postgres.identifiers import quoted_table
from maskline.streams.definition import Column, StreamDefinition
from maskline.streams.stored_form import StoredForm, stored_form


def token_checks(stream: StreamDefinition) -> dict[str, str]:
    """Return the checks that keep values in clear out of a stream's masked columns, by name.

    They hold for rows that name a key. Rows that are older than the job, or masked elsewhere, name none.

    Args:
        stream: The stream.
    """
    return {
        check_name(column): f'"key_id" IS NULL OR {_looks_masked(column, form)}'
        for column in stream.masked_columns
        if (form := stored_form(column)) is not None
    }


def check_name(column: Column) -> str:
    """Return the name of a column's check.

    Args:
        column: A masked column.
    """
    return f"{column.name[:53]}_is_masked"


def add_token_checks(stream: StreamDefinition, present: Collection[str]) -> list[str]:
    """Return the statements that add the checks which a table lacks, without reading its rows.

    Args:
        stream: The stream.
        present: The names of the constraints that the table has.
    """
    return [
        add_token_check(stream, name, condition)
        for name, condition in token_checks(stream).items()
        if name not in present
    ]


def add_token_check(stream: StreamDefinition, name: str, condition: str) -> str:
    """Return the statement that adds a check to a table, without reading its rows.

    Args:
        stream: The stream.
        name: The check's name.
        condition: What it asks, as `token_checks` has it.

    Source: https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT
    """
    return f'ALTER TABLE {quoted_table(stream)} ADD CONSTRAINT "{name}" CHECK ({condition}) NOT VALID'


def _looks_masked(column: Column, form: StoredForm) -> str:
    name = f'"{column.name}"'
    if column.type.is_array:
        lengths = f"{form.min_length},{form.max_length or ''}"
        # A check may have no subquery: the elements are looked at as one text, in which none has a space.
        return f"array_to_string({name}, ' ') ~ '^((?={form.beginning})[^ ]{{{lengths}}}( |$))*$'"
    parts = [f"{name} ~ '^{form.beginning}'"] if form.beginning else []
    if form.min_length == form.max_length:
        parts.append(f"length({name}) = {form.min_length}")
    else:
        parts.append(f"length({name}) >= {form.min_length}")
    return " AND ".join(parts)
