"""Building and dropping indexes of ``user_logins`` while others read and write it.

Source: https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY
"""

from __future__ import annotations

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.catalog import IS_OWNERS_TABLE, IS_PARTITIONED, leaves

_INVALID = """
    SELECT format('DROP INDEX CONCURRENTLY IF EXISTS %s', indexrelid::regclass) AS statement
    FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid AND relkind = 'i'
    WHERE indrelid IN ({leaves}) AND NOT indisvalid
      AND (relname = 'user_logins_{column}' OR relname LIKE '%\\_maskline\\_{column}')
      AND NOT EXISTS (SELECT FROM pg_inherits WHERE inhrelid = indexrelid)
"""
_ON_THE_TABLE = """
    SELECT 'CREATE {unique}INDEX CONCURRENTLY IF NOT EXISTS user_logins_{column} ON user_logins ({column})'
    WHERE {is_owners_table} AND NOT {is_partitioned}
"""
_ON_PARTITIONS = """
    SELECT format('CREATE INDEX CONCURRENTLY IF NOT EXISTS %I ON %s ({column})',
                  left(relname, 40) || '_maskline_{column}', oid::regclass)
    FROM pg_class
    WHERE oid IN ({leaves}) AND {is_owners_table} AND {is_partitioned}
      AND NOT EXISTS (
          SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
          WHERE indrelid = pg_class.oid AND indnatts = 1 AND indisvalid AND attname = '{column}'
      )
"""
_ON_THE_PARENT = """
    SELECT 'CREATE INDEX IF NOT EXISTS user_logins_{column} ON user_logins ({column})'
    WHERE {is_owners_table} AND {is_partitioned}
"""


def create_unique_index(name: str, column: str) -> None:
    """Build the unique index ``user_logins_`` + column, but for a partitioned table, which can have none.

    Args:
        name: What the step is called in the log.
        column: The column.
    """
    steps.alone(f"{name}: leftovers", _filled(_INVALID, column))
    steps.alone(name, _filled(_ON_THE_TABLE, column, unique="UNIQUE "))


def create_index(name: str, column: str) -> None:
    """Build the index ``user_logins_`` + column; of a partitioned table, on each partition first.

    Args:
        name: What the step is called in the log.
        column: The column.
    """
    steps.alone(f"{name}: leftovers", _filled(_INVALID, column))
    steps.alone(name, _filled(_ON_THE_TABLE, column) + " UNION ALL " + _filled(_ON_PARTITIONS, column))
    # The partitions have theirs, so this one only takes them in.
    steps.each(f"{name}: parent", _filled(_ON_THE_PARENT, column))


def _filled(query: str, column: str, unique: str = "") -> str:
    return query.format(
        column=column,
        unique=unique,
        leaves=leaves("to_regclass('user_logins')::oid"),
        is_owners_table=IS_OWNERS_TABLE,
        is_partitioned=IS_PARTITIONED,
    )
