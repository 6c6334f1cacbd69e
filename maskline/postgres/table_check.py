"""Whether server and tables are as the job needs them, asked of the catalog before the first message is taken.

A trial row would meet the owner's triggers, so nothing is written. What the statement that writes proves by itself
(see `maskline.postgres.statements`) is not asked here; what it cannot see is: a table that does not survive a crash, a
trigger that deletes afterwards, a rule that answers in the table's place.
"""

from __future__ import annotations

import msgspec

from maskline.errors import Remedy
from maskline.postgres.connection import Connection
from maskline.postgres.ledger import OUTCOMES
from maskline.postgres.server_version import server_version_problems
from maskline.postgres.statements import REJECTED_MESSAGES
from maskline.postgres.table_changes import MIGRATED_TABLE
from maskline.postgres.type_names import short_name, takes
from maskline.streams.definition import JOB_COLUMNS, StreamDefinition

_SERVER = """
    SELECT pg_is_in_recovery(), current_setting('fsync') = 'on',
        current_setting('full_page_writes') = 'on', current_setting('server_encoding'),
        (SELECT bool_and(has_function_privilege(oid, 'EXECUTE')) FROM pg_proc WHERE proname = 'pg_logical_emit_message')
"""
_OBJECTS = """
    SELECT to_regclass(%s) IS NOT NULL, to_regclass(%s) IS NOT NULL, to_regprocedure('maskline_guard(bigint, bigint)'),
        to_regprocedure('maskline_empty_old_outcomes()')
"""
_RELATION = """
    SELECT relkind, EXISTS (
        SELECT FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = parent.oid AND NOT child.relispartition
    )
    FROM pg_class AS parent WHERE oid = to_regclass(%s)
"""
_UNLOGGED = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relpersistence <> 'p' AND oid IN (
        SELECT to_regclass(%s)::oid UNION SELECT relid FROM pg_partition_tree(to_regclass(%s))
    )
    ORDER BY 1
"""
_COLUMNS = """
    SELECT
        attname,
        CASE WHEN typtype = 'd' THEN format_type(typbasetype, typtypmod) ELSE format_type(atttypid, atttypmod) END,
        has_column_privilege(attrelid, attnum, 'INSERT'),
        (attnotnull OR typnotnull) AND NOT atthasdef AND attidentity = '' AND typdefault IS NULL,
        attgenerated <> '',
        attidentity = 'a'
    FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid
    WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped
"""
_TRIGGERS = """
    SELECT tgname, tgrelid::regclass::text, (tgtype & 2) <> 0
    FROM pg_trigger
    WHERE NOT tgisinternal AND tgenabled <> 'D' AND (tgtype & 4) <> 0 AND tgname <> 'maskline_gate'
      AND tgrelid IN (SELECT to_regclass(%s)::oid UNION SELECT relid FROM pg_partition_tree(to_regclass(%s)))
      AND tgparentid = 0
    ORDER BY tgname
"""
_FOREIGN_PARTITIONS = """
    SELECT relid::regclass::text FROM pg_partition_tree(to_regclass(%s)) JOIN pg_class ON pg_class.oid = relid
    WHERE relkind = 'f' ORDER BY 1
"""
_RULES = "SELECT rulename FROM pg_rewrite WHERE ev_class = to_regclass(%s) AND ev_type = '3' AND ev_enabled <> 'D'"
_MAY_ENTER = """
    SELECT has_table_privilege(%s, 'INSERT') OR has_any_column_privilege(%s, 'INSERT'),
        has_column_privilege(%s, 'message_id', 'SELECT')
"""
_MAY_USE_KEYS = """
    SELECT to_regclass('maskline_keys') IS NULL OR (
        has_table_privilege(to_regclass('maskline_keys'), 'SELECT')
        AND has_function_privilege(to_regprocedure('maskline_use_keys(bigint[], text)'), 'EXECUTE'))
"""
_SUPPRESSIONS = """
    SELECT has_table_privilege(oid, 'SELECT') FROM pg_class WHERE oid = to_regclass('maskline_suppressions')
"""


class TableReport(msgspec.Struct):
    """The findings of a check.

    Attributes:
        problems: What stands in the way of the job, a sentence each with what to do.
        warnings: What the job can start with, and an operator should know.
        remedies: What puts a problem right, where that is something maskline does.
    """

    problems: list[str] = []
    warnings: list[str] = []
    remedies: dict[str, Remedy] = {}

    def add_missing(self, problem: str, stream: StreamDefinition, *, is_table: bool = False) -> None:
        """Add a problem of a stream's table that is gone once the table is made, or altered, from its definition.

        Args:
            problem: The problem.
            stream: The stream.
            is_table: Whether the table itself is missing.
        """
        self.problems.append(problem)
        if stream.table_parts[-1] != MIGRATED_TABLE:
            self.remedies[problem] = Remedy.CREATE_TABLE
        elif is_table:
            self.remedies[problem] = Remedy.CREATE_MIGRATED_TABLE


def check_tables(connection: Connection, stream: StreamDefinition) -> TableReport:
    """Compare server, ledger, ``rejected_messages`` and a stream's table with what the job needs.

    Args:
        connection: A connection with the permissions that the job will have.
        stream: The stream.

    Raises:
        psycopg.Error: The catalog cannot be read.
    """
    report = TableReport()
    _check_server(connection, report)
    if report.problems:
        return report
    if _check_own_objects(connection, report):
        _check_relation(connection, stream, report)
        _check_unlogged(connection, stream, report)
    return report


def _check_server(connection: Connection, report: TableReport) -> None:
    ((is_standby, syncs, writes_full_pages, encoding, may_emit),) = connection.execute(_SERVER).fetchall()
    report.problems.extend(server_version_problems(connection))
    if is_standby:
        report.problems.append("the server is a standby, which takes no writes; connect to the primary")
    if not syncs:
        report.problems.append("fsync is off, so a crash of the server loses committed rows; switch it on")
    if not writes_full_pages:
        report.warnings.append("full_page_writes is off: unless the disk writes 8 KiB at once, a crash can tear pages")
    if encoding != "UTF8":
        report.warnings.append(
            f"the database's encoding is {encoding}, not UTF8: a message with a text that it cannot hold is rejected"
        )
    if not may_emit:
        report.problems.append("this role may not execute pg_logical_emit_message; grant it EXECUTE on that function")


def _check_own_objects(connection: Connection, report: TableReport) -> bool:
    """Check what `migrate` makes, and say whether it is there at all."""
    (found,) = connection.execute(_OBJECTS, [OUTCOMES, REJECTED_MESSAGES]).fetchall()
    names = (
        f"table {OUTCOMES}",
        f"table {REJECTED_MESSAGES}",
        "function maskline_guard",
        "function maskline_empty_old_outcomes",
    )
    missing = [name for name, object_ in zip(names, found, strict=True) if not object_]
    if missing:
        report.problems.append(f"{' and '.join(missing)} not found; migrate the database, or grant USAGE on its schema")
        return False
    for table in (OUTCOMES, REJECTED_MESSAGES):
        ((may_insert, may_read),) = connection.execute(_MAY_ENTER, [table, table, table]).fetchall()
        if not (may_insert and may_read):
            report.problems.append(
                f"this role may not insert into {table} and read its message_id; grant it maskline_writer"
            )
    with connection.cursor() as cursor:
        cursor.execute(_SUPPRESSIONS)
        if (False,) in cursor.fetchall():
            report.problems.append("this role may not read maskline_suppressions; grant it maskline_writer")
    ((may_use_keys,),) = connection.execute(_MAY_USE_KEYS).fetchall()
    if not may_use_keys:
        report.problems.append("this role may not read maskline_keys and enter a key there; grant it maskline_writer")
    return True


def _check_relation(connection: Connection, stream: StreamDefinition, report: TableReport) -> None:
    table = stream.table
    with connection.cursor() as cursor:
        cursor.execute(_RELATION, [table])
        relations = cursor.fetchall()
        if not relations:
            problem = f"table {table} does not exist, or this role has no USAGE on its schema"
            report.add_missing(problem, stream, is_table=True)
            return
        ((kind, has_children),) = relations
        cursor.execute(_FOREIGN_PARTITIONS, [table])
        foreign = [name for (name,) in cursor]
        cursor.execute(_RULES, [table])
        rules = [name for (name,) in cursor]
        cursor.execute(_TRIGGERS, [table, table])
        triggers = cursor.fetchall()
    if kind not in ("r", "p"):
        report.problems.append(f"{table} is not a table; name the table that its rows go to")
        return
    if has_children:
        report.problems.append(
            f"table {table} has tables that inherit from it, where rows could end that nobody counts; partition it, or "
            "give the stream a table of its own"
        )
    for partition in foreign:
        report.problems.append(
            f"partition {partition} of {table} is in another server, which commits by itself, so that a row there "
            "could be lost or come twice; detach it, and move its rows by a job of their own"
        )
    for rule in rules:
        report.problems.append(f"rule {rule} of {table} answers in its place; drop it, or use a trigger")
    for trigger, relation, is_before in triggers:
        does = (
            "can change or swallow rows (those it swallows are rejected)" if is_before else "acts on rows just written"
        )
        report.warnings.append(f"trigger {trigger} of {relation} {does}")
    _check_columns(connection, stream, report)


def _check_columns(connection: Connection, stream: StreamDefinition, report: TableReport) -> None:
    table = stream.table
    with connection.cursor() as cursor:
        cursor.execute(_COLUMNS, [table])
        found = {name: columns for name, *columns in cursor}
    needed = {column.name: column.type.declaration for column in stream.columns} | JOB_COLUMNS
    for name, declaration in needed.items():
        if name not in found:
            report.add_missing(f"table {table} has no column {name} {declaration}; add it", stream)
            continue
        declared, may_insert, _, is_generated, is_identity = found[name]
        if is_generated or is_identity:
            what = "a generated column" if is_generated else "an identity column that is always generated"
            report.problems.append(f"column {table}.{name} is {what}, which takes no value; take it out of the stream")
        elif not takes(short_name(declared), declaration):
            report.problems.append(f"column {table}.{name} is {short_name(declared)}, the stream needs {declaration}")
        elif name != "processed_at" and not may_insert:
            report.problems.append(f"this role may not insert into {table}.{name}; grant it maskline_writer")
    report.problems.extend(
        f"column {table}.{name} is NOT NULL without a default, and the stream does not fill it; give it a default"
        for name, (_, _, must_be_given, _, _) in found.items()
        if must_be_given and name not in needed
    )


def _check_unlogged(connection: Connection, stream: StreamDefinition, report: TableReport) -> None:
    for table in (stream.table, REJECTED_MESSAGES, OUTCOMES):
        with connection.cursor() as cursor:
            cursor.execute(_UNLOGGED, [table, table])
            unlogged = [name for (name,) in cursor]
        report.problems.extend(
            f"table {name} is UNLOGGED, so a crash of the server empties it; run: ALTER TABLE {name} SET LOGGED"
            for name in unlogged
        )
