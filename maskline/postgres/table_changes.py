"""What a stream's table lacks, and the changes that add it; none loses data, or locks others out for long.

A new column takes NULL, for rows that are there have no value for it and jobs of the definition before write none; a
masked one gets the check for tokens that a new table has. A column that is there gets it by `migrate`, which knows
whether jobs mask it already. A type is widened where Postgres does so without a look at the rows, or where there
are few. All else that the table has otherwise is named, and nothing is changed.

Source: https://www.postgresql.org/docs/current/sql-altertable.html#SQL-ALTERTABLE-NOTES
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

import msgspec
from psycopg import errors

from maskline.errors import DatabaseError, DatabaseUnavailableError
from maskline.postgres.connection import Connection, Cursor, map_postgres_errors
from maskline.postgres.ddl import WRITTEN_IN_DECLARATION, create_bare_table, create_index
from maskline.postgres.grants import CREATE_ROLES, ROLES, Grant, table_grants
from maskline.postgres.identifiers import quoted_table
from maskline.postgres.token_checks import add_token_check, check_name, token_checks
from maskline.postgres.type_names import short_name, takes, widens_in_place
from maskline.streams.definition import JOB_COLUMNS, WRITTEN_IN, StreamDefinition

LOCK_TIMEOUT_MILLISECONDS = 300
"""How long a change waits for its lock, and others behind it, before it steps back and tries again."""

LOCK_DEADLINE_SECONDS = 60.0
MAX_REWRITTEN_BYTES = 16 * 2**20
"""How large a table may be that is rewritten, or indexed, while nobody may write it: it takes a moment."""

MIGRATED_TABLE = "user_logins"
"""The table that `migrate` looks after."""

_TABLE = """
    SELECT relkind::text, nspname,
        pg_relation_size(pg_class.oid)
            + (SELECT coalesce(sum(pg_relation_size(relid)), 0) FROM pg_partition_tree(pg_class.oid))::bigint,
        EXISTS (
            SELECT FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]
            WHERE indrelid = pg_class.oid AND attname = %s
        )
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE pg_class.oid = to_regclass(%s)
"""
_COLUMNS = """
    SELECT
        attname,
        CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) ELSE format_type(atttypid, atttypmod) END,
        attnotnull,
        NOT atthasdef AND attidentity = '',
        attgenerated <> '' OR attidentity = 'a',
        typtype = 'd',
        EXISTS (SELECT FROM pg_index WHERE indrelid = attrelid AND indisprimary AND attnum = ANY (indkey)),
        ARRAY(
            SELECT DISTINCT ev_class::regclass::text FROM pg_depend JOIN pg_rewrite ON pg_rewrite.oid = objid
            WHERE classid = 'pg_rewrite'::regclass AND refobjid = attrelid AND refobjsubid = attnum
        ),
        ARRAY(
            SELECT ARRAY[conname::text, pg_get_constraintdef(oid)] FROM pg_constraint
            WHERE conrelid = attrelid AND contype = 'c' AND attnum = ANY (conkey) ORDER BY conname
        )
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
_MISSING_ROLES = "SELECT wanted FROM unnest(%s::text[]) AS wanted WHERE wanted NOT IN (SELECT rolname FROM pg_roles)"
_SYSTEM_COLUMNS = {"tableoid", "ctid", "xmin"}
_NOT_VALID = " NOT VALID"
_RETRIED = (errors.LockNotAvailable, errors.DeadlockDetected, errors.SerializationFailure)


class Change(msgspec.Struct, frozen=True):
    """One change.

    Attributes:
        done: What it did, as a line to be read.
        statement: The statement that does it, without a semicolon.
        is_alone: Whether Postgres allows the statement in no transaction.
    """

    done: str
    statement: str
    is_alone: bool = False


class _Column(msgspec.Struct, frozen=True):
    type: str
    is_not_null: bool
    is_without_default: bool
    is_generated: bool
    is_of_domain: bool
    is_in_primary_key: bool
    views: list[str]
    checks: list[tuple[str, str]]


class _Found(msgspec.Struct, frozen=True):
    kind: str
    schema: str
    bytes: int
    is_indexed: bool
    columns: dict[str, _Column]


def table_changes(connection: Connection, stream: StreamDefinition) -> list[Change]:
    """Return the changes that a stream's table needs; none if it has everything.

    It reads the catalog alone, and makes no difference between a database before and after `migrate`. The table
    ``user_logins`` is `migrate`'s, and nothing is returned for it.

    Args:
        connection: A connection, best with the permissions of the table's owner.
        stream: The stream.

    Raises:
        DatabaseError: The table has something that cannot be changed without losing data or keeping others out; the
            message names all of it.
        DatabaseUnavailableError: Nobody answers.
    """
    if stream.table_parts[-1] == MIGRATED_TABLE:
        return []
    with map_postgres_errors(), connection.cursor() as cursor:
        cursor.execute(_MISSING_ROLES, [list(ROLES)])
        missing_roles = [name for (name,) in cursor]
        found = _found(cursor, stream)
        changes = _made(cursor, stream) if found is None else _altered(stream, found)
        if missing_roles:
            changes.append(Change(f"made the roles {', '.join(missing_roles)}", CREATE_ROLES))
        changes += [
            Change(f"granted {_roles_and_privileges(grant)} on {stream.table}", grant.statement(quoted_table(stream)))
            for grant in table_grants(stream)
            if set(grant.roles) & set(missing_roles)
            or found is None
            or not _is_granted(cursor, stream.table, found, grant)
        ]
        changes += _usage(cursor, stream, found, missing_roles)
    return changes


def apply_changes(
    connection: Connection,
    changes: Sequence[Change],
    deadline_seconds: float = LOCK_DEADLINE_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Apply changes, all of them or none; those that cannot be in a transaction come last.

    Nobody waits behind it for longer than a moment: where a lock is not to be had, it steps back and tries again.

    Args:
        connection: A connection in autocommit, with the permissions of the table's owner.
        changes: What `table_changes` returned.
        deadline_seconds: For how long it is tried.
        sleep: Waits for so many seconds.

    Raises:
        DatabaseError: A permission is missing.
        DatabaseUnavailableError: Nobody answers, or somebody uses the table all the time.
    """
    together = [change.statement for change in changes if not change.is_alone]
    deadline = time.monotonic() + deadline_seconds
    with map_postgres_errors():
        while together:
            try:
                _run_together(connection, together)
                break
            except _RETRIED as error:
                if time.monotonic() >= deadline:
                    raise DatabaseUnavailableError(
                        f"postgres: got no lock in {deadline_seconds:g} s ({error.sqlstate}), for somebody uses the "
                        "table all the time; nothing was changed"
                    ) from None
            sleep(random.uniform(0.1, 0.5))  # noqa: S311 - others get their turn
        with connection.cursor() as cursor:
            for change in changes:
                if change.is_alone:
                    cursor.execute(change.statement)


def changes_as_sql(changes: Sequence[Change]) -> str:
    """Return changes as statements for psql.

    Args:
        changes: What `table_changes` returned.
    """
    together = [f"{change.statement};\n" for change in changes if not change.is_alone]
    alone = [f"{change.statement};\n" for change in changes if change.is_alone]
    if together:
        settings = f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MILLISECONDS}ms';\n"
        together = ["BEGIN;\n", settings, *together, "COMMIT;\n"]
    return "".join([*together, *alone])


def _run_together(connection: Connection, statements: Sequence[str]) -> None:
    text = "".join(f"{statement};\n" for statement in statements)
    with connection.cursor() as cursor:
        # One string is one transaction.
        cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_MILLISECONDS}ms';\n{text}")


def _found(cursor: Cursor, stream: StreamDefinition) -> _Found | None:
    cursor.execute(_TABLE, [WRITTEN_IN, stream.table])
    tables = cursor.fetchall()
    if not tables:
        return None
    ((kind, schema, size, is_indexed),) = tables
    cursor.execute(_COLUMNS, [stream.table])
    columns = {name: _Column(short_name(type_), *rest) for name, type_, *rest in cursor}
    return _Found(kind, schema, size, is_indexed, columns)


def _made(cursor: Cursor, stream: StreamDefinition) -> list[Change]:
    changes = []
    if stream.schema is not None:
        cursor.execute("SELECT to_regnamespace(%s) IS NULL", [f'"{stream.schema}"'])
        if cursor.fetchone() == (True,):
            changes.append(Change(f"made schema {stream.schema}", f'CREATE SCHEMA "{stream.schema}"'))
    return [
        *changes,
        Change(f"made table {stream.table}", create_bare_table(stream)),
        Change(f"made an index of {stream.table} on {WRITTEN_IN}", create_index(stream)),
    ]


def _altered(stream: StreamDefinition, found: _Found) -> list[Change]:
    table = stream.table
    if found.kind not in ("r", "p"):
        raise DatabaseError(f"postgres: {table} is not a table; name the table that its rows go to")
    problems: list[str] = []
    changes: list[Change] = []
    for name, needed, takes_null in _needed(stream):
        column = found.columns.get(name)
        if column is None:
            changes.append(_added(stream, name, needed))
            continue
        if not takes(column.type, needed):
            changes.extend(_widened(stream, name, column, needed, found.bytes, problems))
        if column.is_generated:
            problems.append(f"column {name} is one that Postgres generates; take it out of the stream")
        elif takes_null and column.is_not_null:
            changes.extend(_without_not_null(stream, name, column, problems))
    changes += _checked(stream, {name for name, _, _ in _needed(stream)} - found.columns.keys())
    given = {name for name, _, _ in _needed(stream)} | {WRITTEN_IN}
    problems += [
        f"column {name} is NOT NULL without a default, and the stream does not fill it; give it a default, or run "
        f'ALTER TABLE {quoted_table(stream)} ALTER COLUMN "{name}" DROP NOT NULL'
        for name, column in found.columns.items()
        if name not in given and column.is_not_null and column.is_without_default
    ]
    if WRITTEN_IN not in found.columns:
        changes.append(
            Change(
                f"added column {table}.{WRITTEN_IN}",
                f'ALTER TABLE {quoted_table(stream)} ADD COLUMN "{WRITTEN_IN}" {WRITTEN_IN_DECLARATION}',
            )
        )
    if not found.is_indexed:
        changes.extend(_indexed(stream, found, problems))
    if problems:
        raise DatabaseError(f"postgres: table {table} cannot be altered safely, and nothing was: {'; '.join(problems)}")
    return changes


def _needed(stream: StreamDefinition) -> list[tuple[str, str, bool]]:
    """Return each column that the job fills, its type, and whether it may fill in NULL."""
    return [
        *((column.name, column.type.declaration, column.takes_null) for column in stream.columns),
        *((name, type_, False) for name, type_ in JOB_COLUMNS.items()),
    ]


def _added(stream: StreamDefinition, name: str, needed: str) -> Change:
    statement = f'ALTER TABLE {quoted_table(stream)} ADD COLUMN "{name}" {needed}'
    if name == "processed_at":
        # Apart from the column, so that rows that are there are not said to have been written now.
        statement += f', ALTER COLUMN "{name}" SET DEFAULT now()'
    return Change(f"added column {stream.table}.{name} {needed}", statement)


def _checked(stream: StreamDefinition, added: set[str]) -> list[Change]:
    """Return what gives new columns their checks: for rows to come first, and then, beside all others, for all."""
    names = {check_name(column) for column in stream.masked_columns if column.name in added}
    checks = {name: condition for name, condition in token_checks(stream).items() if name in names}
    return [
        *(
            Change(f"added check {name} to {stream.table}", add_token_check(stream, name, condition))
            for name, condition in checks.items()
        ),
        *(_validated(stream, name) for name in checks),
    ]


def _widened(
    stream: StreamDefinition, name: str, column: _Column, needed: str, size: int, problems: list[str]
) -> list[Change]:
    statement = f'ALTER TABLE {quoted_table(stream)} ALTER COLUMN "{name}" TYPE {needed}'
    if not takes(needed, column.type) or column.is_of_domain:
        problems.append(
            f"column {name} is {column.type}, and {needed} does not take all that may be in it; give the stream's "
            "column another name, or its former type"
        )
    elif column.views:
        problems.append(
            f"column {name} is {column.type} and has to be {needed}, which Postgres does not do beneath a view; drop "
            f"{', '.join(column.views)}, and make it again afterwards"
        )
    elif not widens_in_place(column.type, needed) and size > MAX_REWRITTEN_BYTES:
        problems.append(
            f"column {name} is {column.type}, and to make it {needed} rewrites {size / 2**20:,.0f} MiB while nobody "
            f"may read or write the table; in a quiet hour run {statement}"
        )
    elif column.checks and size > MAX_REWRITTEN_BYTES:
        return _widened_beside_checks(stream, name, column, needed)
    else:
        return [Change(f"widened column {stream.table}.{name} from {column.type} to {needed}", statement)]
    return []


def _widened_beside_checks(stream: StreamDefinition, name: str, column: _Column, needed: str) -> list[Change]:
    """Return what widens a column of a large table that has checks: Postgres would look at all rows under its lock."""
    parts = [f'ALTER COLUMN "{name}" TYPE {needed}']
    validating = []
    for check, definition in column.checks:
        condition = definition.removesuffix(_NOT_VALID)
        parts += [f'DROP CONSTRAINT "{check}"', f'ADD CONSTRAINT "{check}" {condition}{_NOT_VALID}']
        if not definition.endswith(_NOT_VALID):
            validating.append(_validated(stream, check))
    statement = f"ALTER TABLE {quoted_table(stream)} {', '.join(parts)}"
    return [Change(f"widened column {stream.table}.{name} from {column.type} to {needed}", statement), *validating]


def _validated(stream: StreamDefinition, check: str) -> Change:
    statement = f'ALTER TABLE {quoted_table(stream)} VALIDATE CONSTRAINT "{check}"'
    return Change(f"validated check {check} of {stream.table}", statement, is_alone=True)


def _without_not_null(stream: StreamDefinition, name: str, column: _Column, problems: list[str]) -> list[Change]:
    if column.is_in_primary_key:
        problems.append(f"column {name} is part of the primary key, so it cannot be NULL; make the field required")
        return []
    statement = f'ALTER TABLE {quoted_table(stream)} ALTER COLUMN "{name}" DROP NOT NULL'
    return [Change(f"let column {stream.table}.{name} be NULL", statement)]


def _indexed(stream: StreamDefinition, found: _Found, problems: list[str]) -> list[Change]:
    done = f"made an index of {stream.table} on {WRITTEN_IN}"
    if found.kind == "r":
        statement = create_index(stream).replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)
        return [Change(done, statement, is_alone=True)]
    if found.bytes > MAX_REWRITTEN_BYTES:
        problems.append(
            f"it has no index on {WRITTEN_IN}, and is partitioned, so making one keeps writers out; make one of each "
            "partition with CREATE INDEX CONCURRENTLY, and then one of the table"
        )
        return []
    return [Change(done, create_index(stream))]


def _usage(
    cursor: Cursor, stream: StreamDefinition, found: _Found | None, missing_roles: Sequence[str]
) -> list[Change]:
    cursor.execute("SELECT coalesce(%s, current_schema())", [stream.schema if found is None else found.schema])
    ((schema,),) = cursor.fetchall()
    cursor.execute(
        """
        SELECT wanted FROM unnest(%s::text[], %s::text[]) AS roles (wanted, asked)
        WHERE NOT coalesce(has_schema_privilege(asked, to_regnamespace(quote_ident(%s)), 'USAGE'), false)
        """,
        [list(ROLES), ["public" if role in missing_roles else role for role in ROLES], schema],
    )
    names = ", ".join(role for (role,) in cursor)
    if not names:
        return []
    return [Change(f"granted {names} USAGE of schema {schema}", f'GRANT USAGE ON SCHEMA "{schema}" TO {names}')]


def _is_granted(cursor: Cursor, table: str, found: _Found, grant: Grant) -> bool:
    for privilege in grant.privileges:
        if set(privilege.columns) - found.columns.keys() - _SYSTEM_COLUMNS:
            return False
        for role in grant.roles:
            if privilege.columns:
                cursor.execute(
                    "SELECT bool_and(has_column_privilege(%s, %s, name, %s)) FROM unnest(%s::text[]) AS name",
                    [role, table, privilege.name, list(privilege.columns)],
                )
            else:
                cursor.execute("SELECT has_table_privilege(%s, %s, %s)", [role, table, privilege.name])
            if cursor.fetchone() != (True,):
                return False
    return True


def _roles_and_privileges(grant: Grant) -> str:
    privileges = ", ".join(
        f"{privilege.name} ({', '.join(privilege.columns)})" if privilege.columns else privilege.name
        for privilege in grant.privileges
    )
    return f"{', '.join(grant.roles)} {privileges}"
