"""The table that a stream needs."""

from __future__ import annotations

from maskline.streams.definition import JOB_COLUMNS, WRITTEN_IN, StreamDefinition


def create_table(stream: StreamDefinition) -> str:
    """Return the statements that create a stream's table and grant the roles their rights.

    Names in a definition are identifiers already (see `maskline.streams.definition`); quoting lets them be SQL's own
    words, too.

    Args:
        stream: The stream.
    """
    columns = [
        *(
            f'"{column.name}" {column.type.declaration}{"" if column.takes_null else " NOT NULL"}'
            for column in stream.columns
        ),
        *(f'"{name}" {_job_declaration(name, declaration)}' for name, declaration in JOB_COLUMNS.items()),
        f'"{WRITTEN_IN}" xid8 NOT NULL DEFAULT pg_current_xact_id()',
    ]
    body = ",\n    ".join(columns)
    remasked = ", ".join(f'"{name}"' for name in ("key_id", *(column.name for column in stream.masked_columns)))
    return "\n".join(
        [
            f'CREATE TABLE "{stream.table}" (\n    {body}\n);',
            f'CREATE INDEX ON "{stream.table}" ("{WRITTEN_IN}");',
            f'GRANT INSERT, SELECT ("message_id") ON "{stream.table}" TO maskline_writer;',
            f'GRANT SELECT ON "{stream.table}" TO maskline_analyst, maskline_publisher;',
            f'GRANT SELECT (tableoid, ctid, "message_id", {remasked}), UPDATE ({remasked}) ON "{stream.table}"'
            " TO maskline_remasker;",
            "",
        ]
    )


def _job_declaration(name: str, declaration: str) -> str:
    constraint = {
        "message_id": " PRIMARY KEY",
        "processed_at": " NOT NULL DEFAULT now()",
    }.get(name, " NOT NULL")
    return declaration + constraint
