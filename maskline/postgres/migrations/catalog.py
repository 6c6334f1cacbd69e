"""What the revisions ask the catalog: whose table ``user_logins`` is, and which tables a job writes.

Everything here is SQL text, for a step is printed as it is run.
"""

from __future__ import annotations

_COLUMN_IS_THE_OWNERS = """
            CASE attname
                WHEN 'create_date' THEN atttypid = 'date'::regtype
                WHEN 'app_version' THEN atttypid IN ('integer'::regtype, 'varchar'::regtype, 'text'::regtype)
                ELSE attname IN ('user_id', 'device_type', 'masked_ip', 'masked_device_id', 'locale')
                    AND atttypid IN ('varchar'::regtype, 'text'::regtype)
            END
"""

IS_OWNERS_TABLE = f"""EXISTS (
        SELECT FROM pg_class
        WHERE oid = to_regclass('user_logins') AND relkind IN ('r', 'p') AND 7 = (
            SELECT count(*) FROM pg_attribute
            WHERE attrelid = pg_class.oid AND NOT attisdropped AND {_COLUMN_IS_THE_OWNERS}
        )
    )"""  # noqa: S608 - a constant of this module
"""Whether there is a ``user_logins`` with its owner's columns, or with what an earlier migration made of them."""

IS_PARTITIONED = "EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('user_logins') AND relkind = 'p')"

WRITTEN_TABLES = """
    SELECT attrelid AS oid, format('%I.%I', nspname, relname) AS name
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p') AND NOT relispartition
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE (attname = 'message_id' AND atttypid = 'uuid'::regtype
           OR attname = 'sent_at' AND atttypid = 'timestamptz'::regtype
           OR attname = 'key_id' AND atttypid = 'bigint'::regtype)
      AND relpersistence <> 't'
      AND NOT EXISTS (
          SELECT FROM pg_class AS version
          WHERE version.relnamespace = pg_namespace.oid AND version.relname = 'maskline_schema_version'
            AND version.oid IS DISTINCT FROM to_regclass('maskline_schema_version')
      )
    GROUP BY attrelid, nspname, relname
    HAVING count(*) = 3
"""
"""The tables that a job writes: the streams', and ``rejected_messages``; not those of another schema's own maskline."""


def leaves(root: str) -> str:
    """Return a query of the tables below one that hold its rows, itself, partitions and inheriting ones.

    Args:
        root: An SQL expression for the table's oid.
    """
    return f"""
        WITH RECURSIVE tree AS (
            SELECT {root} AS oid UNION ALL SELECT inhrelid FROM pg_inherits JOIN tree ON inhparent = tree.oid
        )
        SELECT tree.oid FROM tree JOIN pg_class ON pg_class.oid = tree.oid AND relkind = 'r'
    """  # noqa: S608 - built from constants


def where_owners(statements: str) -> str:
    """Return statements that run where ``user_logins`` is its owner's table, and not where there is another or none.

    Args:
        statements: SQL, ending with a semicolon.
    """
    return f"DO $where$\nBEGIN\n    IF {IS_OWNERS_TABLE} THEN\n        {statements.strip()}\n    END IF;\nEND $where$"
