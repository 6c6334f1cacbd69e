"""The table that a stream needs."""

from __future__ import annotations

from maskline.postgres.grants import CREATE_ROLES, ROLES, table_grants
from maskline.postgres.identifiers import quoted_table
from maskline.postgres.token_checks import token_checks
from maskline.streams.definition import JOB_COLUMNS, WRITTEN_IN, Column, StreamDefinition

WRITTEN_IN_DECLARATION = "xid8 NOT NULL DEFAULT pg_current_xact_id()"


def create_table(stream: StreamDefinition) -> str:
    """Return the statements that create a stream's table and grant the roles their permissions.

    The roles, and the schema, are made where they are not there yet, so that it makes no difference whether `migrate`
    ran before. Names in a definition are identifiers already (see `maskline.streams.definition`); quoting lets them be
    SQL's own words.

    Args:
        stream: The stream.
    """
    table = quoted_table(stream)
    statements = [
        *([_create_schema(stream.schema)] if stream.schema else []),
        create_bare_table(stream),
        create_index(stream),
        CREATE_ROLES,
        *(grant.statement(table) for grant in table_grants(stream)),
        *([_grant_usage(stream.schema)] if stream.schema else []),
    ]
    return "".join(f"{statement};\n" for statement in statements)


def _create_schema(schema: str) -> str:
    """Return the statement that makes a schema if there is none; ``IF NOT EXISTS`` would need more permissions."""
    return f"""\
DO $$
BEGIN
    IF to_regnamespace('"{schema}"') IS NULL THEN
        CREATE SCHEMA "{schema}";
    END IF;
END $$"""


def create_bare_table(stream: StreamDefinition) -> str:
    """Return the statement that creates a stream's table."""
    columns = [
        *(f'"{column.name}" {declaration(column)}' for column in stream.columns),
        *(f'"{name}" {_job_declaration(name, type_)}' for name, type_ in JOB_COLUMNS.items()),
        f'"{WRITTEN_IN}" {WRITTEN_IN_DECLARATION}',
    ]
    columns += [f'CONSTRAINT "{name}" CHECK ({condition})' for name, condition in token_checks(stream).items()]
    body = ",\n    ".join(columns)
    return f"CREATE TABLE {quoted_table(stream)} (\n    {body}\n)"


def create_index(stream: StreamDefinition) -> str:
    """Return the statement that creates the index by which rows are published."""
    return f'CREATE INDEX ON {quoted_table(stream)} ("{WRITTEN_IN}")'


def _grant_usage(schema: str) -> str:
    """Return the statement that lets the roles use a schema."""
    return f'GRANT USAGE ON SCHEMA "{schema}" TO {", ".join(ROLES)}'


def declaration(column: Column) -> str:
    """Return what follows a column's name in CREATE TABLE."""
    return f"{column.type.declaration}{'' if column.takes_null else ' NOT NULL'}"


def _job_declaration(name: str, type_: str) -> str:
    return type_ + (" NOT NULL DEFAULT now()" if name == "processed_at" else " NOT NULL")
