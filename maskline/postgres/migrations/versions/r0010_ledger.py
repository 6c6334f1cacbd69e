"""The ledger: one outcome a message, whatever table it is in, and the gates that have older jobs enter theirs.

``maskline_outcomes`` is a ring of 32 days. SQS keeps a message for 14 days, so what is older than 16 is of no use to
anybody, and each day's partition is emptied long before the ring comes round to it.

A job of a version before this revision writes rows and no entries. A *gate*, a trigger on each table that such a job
writes, enters them in its place, so that old and new jobs may run side by side. The gates come first: making one waits
for the transactions that write the table, so what they do not enter is there when the pass over the rows begins.

Revision ID: 0010
Revises: 0009
"""

from maskline.postgres.migrations import gates, steps
from maskline.postgres.migrations.catalog import WRITTEN_TABLES, leaves

revision = "0010"
down_revision = "0009"

DAYS = 32
EMPTIED_AGES = "17 .. 30"
"""Days of the ring that may be emptied: a message sent tomorrow, by another clock, stands where the 31st was."""

LEDGER = """
CREATE TABLE IF NOT EXISTS maskline_outcomes (
    message_id uuid NOT NULL,
    sent_at timestamptz NOT NULL
) PARTITION BY LIST ((((sent_at AT TIME ZONE 'UTC')::date - DATE '1970-01-01') % 32))
"""

GUARD = """
CREATE OR REPLACE FUNCTION maskline_guard(entered bigint, taken bigint) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
    IF taken IS DISTINCT FROM entered THEN
        RAISE EXCEPTION 'the table took % of % rows', taken, entered USING ERRCODE = 'MK001';
    END IF;
    RETURN true;
END $$
"""

EMPTY_OLD_DAYS = """
CREATE OR REPLACE FUNCTION maskline_empty_old_outcomes() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    today integer := (now() AT TIME ZONE 'UTC')::date - DATE '1970-01-01';
    is_filled boolean;
    emptied integer := 0;
BEGIN
    -- A server clock that runs ahead would call everything old. Then the days that it takes for now are empty.
    EXECUTE format('SELECT EXISTS (SELECT FROM maskline_outcomes_%s) OR EXISTS (SELECT FROM maskline_outcomes_%s)',
        to_char(today % 32, 'FM00'), to_char((today - 1) % 32, 'FM00')) INTO is_filled;
    IF NOT is_filled THEN
        RETURN 0;
    END IF;
    FOR age IN {ages} LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM maskline_outcomes_%s)', to_char((today - age) % 32, 'FM00'))
            INTO is_filled;
        IF is_filled THEN
            EXECUTE format('TRUNCATE maskline_outcomes_%s', to_char((today - age) % 32, 'FM00'));
            emptied := emptied + 1;
        END IF;
    END LOOP;
    RETURN emptied;
END $$
"""

ROLES = (
    "maskline_writer",
    "maskline_analyst",
    "maskline_auditor",
    "maskline_remasker",
    "maskline_publisher",
    "maskline_eraser",
)

GRANT_USAGE = f"""
DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY{list(ROLES)} LOOP
        IF NOT has_schema_privilege(role_name, current_schema(), 'USAGE') THEN
            EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', current_schema(), role_name);
        END IF;
    END LOOP;
END $$
"""

ENTER_ROWS = f"""
    SELECT leaf.oid::regclass::text, format(
        'INSERT INTO maskline_outcomes (message_id, sent_at) SELECT message_id, sent_at FROM ONLY %s'
        ' WHERE ctid >= :first AND ctid < :last AND message_id IS NOT NULL AND sent_at > now() - interval ''16 days'''
        ' ORDER BY message_id ON CONFLICT DO NOTHING', leaf.oid::regclass)
    FROM ({WRITTEN_TABLES}) AS written, LATERAL ({leaves("written.oid")}) AS leaf
"""  # noqa: S608 - built from constants


def upgrade() -> None:
    """Create the ledger, gate the tables, and enter the outcomes of the last 16 days."""
    steps.short(
        "0010 ledger",
        LEDGER,
        *map(_partition, range(DAYS)),
        *map(_index, range(DAYS)),
        GUARD,
        in_this_schema(EMPTY_OLD_DAYS),
        in_this_schema(gates.FUNCTION),
        "REVOKE ALL ON FUNCTION maskline_empty_old_outcomes(), maskline_gate() FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION maskline_empty_old_outcomes() TO maskline_writer",
        "GRANT INSERT, SELECT ON maskline_outcomes TO maskline_writer",
        GRANT_USAGE,
    )
    steps.each("0010 gates", gates.CREATE)
    steps.through_pages("0010 outcomes entered", ENTER_ROWS)


def downgrade() -> None:
    """Take gates and ledger away: rows and rejections say the same, to whoever has a unique index on message_id."""
    steps.each("0010 gates gone", gates.DROP_ALL)
    steps.short(
        "0010 ledger gone",
        "DROP FUNCTION IF EXISTS maskline_gate(), maskline_empty_old_outcomes(), maskline_guard(bigint, bigint)",
        "DROP TABLE IF EXISTS maskline_outcomes",
        f"""
        DO $$
        BEGIN
            IF current_schema() <> 'public' THEN
                EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM {", ".join(ROLES)}', current_schema());
            END IF;
        END $$
        """,
    )


def in_this_schema(function: str) -> str:
    """Return the statement that creates a function which finds names where this migration does, whoever calls it.

    Args:
        function: Its statement, with ``{schema}`` where its search path begins.
    """
    body = function.replace("%", "%%").format(schema="%I", ages=EMPTIED_AGES).replace("'", "''")
    return f"DO $do$ BEGIN EXECUTE format('{body}', current_schema()); END $do$"


def _partition(day: int) -> str:
    return (
        f"CREATE TABLE IF NOT EXISTS maskline_outcomes_{day:02} PARTITION OF maskline_outcomes FOR VALUES IN ({day})"
        " WITH (autovacuum_vacuum_insert_threshold = -1)"
    )


def _index(day: int) -> str:
    partition = f"maskline_outcomes_{day:02}"
    return f"CREATE UNIQUE INDEX IF NOT EXISTS {partition}_message_id ON {partition} (message_id)"
