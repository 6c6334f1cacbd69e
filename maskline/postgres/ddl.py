"""The table that a stream needs."""

from __future__ import annotations

from maskline.streams.definition import JOB_COLUMNS, WRITTEN_IN, StreamDefinition

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
    body = ",\n    ".join(columns)
    remasked = ", ".join(f'"{name}"' for name in ("key_id", *(column.name for column in stream.reversible_columns)))
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


def _job_declaration(name: str, declaration: str) -> str:
    return declaration + (" NOT NULL DEFAULT now()" if name == "processed_at" else " NOT NULL")
