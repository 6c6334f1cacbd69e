"""The table that a stream needs."""

from __future__ import annotations

from collections.abc import Collection

from maskline.streams.definition import JOB_COLUMNS, WRITTEN_IN, Column, StreamDefinition
from maskline.streams.stored_form import StoredForm, stored_form

_ROLES = (
    "maskline_writer",
    "maskline_analyst",
    "maskline_publisher",
    "maskline_remasker",
    "maskline_eraser",
)
_CREATE_ROLES = f"""\
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY{list(_ROLES)} LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
        END IF;
    END LOOP;
END $$;"""


def create_table(stream: StreamDefinition) -> str:
    """Return the statements that create a stream's table and grant the roles their permissions.

    The roles are made where they are not there yet, so that it makes no difference whether `migrate` ran before. Names
    in a definition are identifiers already (see `maskline.streams.definition`); quoting lets them be SQL's own words.

    Args:
        stream: The stream.
    """
    table = ".".join(f'"{part}"' for part in stream.table_parts)
    columns = [
        *(
            f'"{column.name}" {column.type.declaration}{"" if column.takes_null else " NOT NULL"}'
            for column in stream.columns
        ),
        *(f'"{name}" {_job_declaration(name, declaration)}' for name, declaration in JOB_COLUMNS.items()),
        f'"{WRITTEN_IN}" xid8 NOT NULL DEFAULT pg_current_xact_id()',
    ]
    columns += [f'CONSTRAINT "{name}" CHECK ({condition})' for name, condition in token_checks(stream).items()]
    body = ",\n    ".join(columns)
    remasked = ", ".join(f'"{name}"' for name in ("key_id", *(column.name for column in stream.masked_columns)))
    statements = [
        f"CREATE TABLE {table} (\n    {body}\n);",
        f'CREATE INDEX ON {table} ("{WRITTEN_IN}");',
        _CREATE_ROLES,
        f'GRANT INSERT, SELECT ("message_id") ON {table} TO maskline_writer;',
        f"GRANT SELECT ON {table} TO maskline_analyst, maskline_publisher;",
        f'GRANT SELECT (tableoid, ctid, "message_id", {remasked}), UPDATE ({remasked}) ON {table}'
        " TO maskline_remasker;",
    ]
    if stream.subject_columns:
        read = ", ".join(f'"{name}"' for name in (*(stream.subject or ()), "key_id", WRITTEN_IN, "xmin"))
        statements.append(f"GRANT SELECT ({read}), DELETE ON {table} TO maskline_eraser;")
    if stream.schema is not None:
        statements.append(f'GRANT USAGE ON SCHEMA "{stream.schema}" TO {", ".join(_ROLES)};')
    return "\n".join([*statements, ""])


def token_checks(stream: StreamDefinition) -> dict[str, str]:
    """Return what keeps values in clear out of a stream's masked columns, whoever writes them: checks by their names.

    They hold for rows that name a key. Rows that are older than the job, or masked elsewhere, name none.

    Args:
        stream: The stream.
    """
    return {
        f"{column.name[:53]}_is_masked": f'"key_id" IS NULL OR {_looks_masked(column, form)}'
        for column in stream.masked_columns
        if (form := stored_form(column)) is not None
    }


def add_token_checks(stream: StreamDefinition, present: Collection[str]) -> list[str]:
    """Return the statements that add to a table the checks that it lacks, without a look at the rows that are there.

    Args:
        stream: The stream.
        present: The names of the constraints that the table has.

    Source: https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-DESC-ADD-TABLE-CONSTRAINT
    """
    table = ".".join(f'"{part}"' for part in stream.table_parts)
    return [
        f'ALTER TABLE {table} ADD CONSTRAINT "{name}" CHECK ({condition}) NOT VALID'
        for name, condition in token_checks(stream).items()
        if name not in present
    ]


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


def _job_declaration(name: str, declaration: str) -> str:
    return declaration + (" NOT NULL DEFAULT now()" if name == "processed_at" else " NOT NULL")
