"""The ledger: one outcome a message, whatever table it is in, and the gates that have older jobs enter theirs.

``maskline_outcomes`` is a ring of 32 days. SQS keeps a message for 14 days, so what is older than 16 is of no use to
anybody, and each day's partition is emptied long before the ring comes round to it.

A job of a version before this revision writes rows and no entries. A *gate*, a trigger on each table that such a job
writes, enters them in its place, so that old and new jobs may run side by side. The next revision takes the gates away.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

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

GATE = """
CREATE OR REPLACE FUNCTION maskline_gate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    INSERT INTO maskline_outcomes (message_id, sent_at) VALUES (NEW.message_id, NEW.sent_at) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NEW;
    END IF;
    RETURN NULL; -- it has its outcome already; the older job takes it for a duplicate, which it is
END $$
"""

WRITTEN_TABLES = """
    SELECT format('%I.%I', nspname, relname) AS name
    FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid AND relkind IN ('r', 'p') AND NOT relispartition
    JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE (attname = 'message_id' AND atttypid = 'uuid'::regtype
           OR attname = 'sent_at' AND atttypid = 'timestamptz'::regtype
           OR attname = 'key_id' AND atttypid = 'bigint'::regtype)
      AND relpersistence <> 't'
    GROUP BY nspname, relname
    HAVING count(*) = 3
"""
"""The tables that a job of an earlier version writes: a stream's, and ``rejected_messages``."""


def upgrade() -> None:
    """Create the ledger, gate the tables, and enter the outcomes of the last 16 days."""
    op.execute(LEDGER)
    for day in range(DAYS):
        partition = f"maskline_outcomes_{day:02}"
        op.execute(
            f"CREATE TABLE IF NOT EXISTS {partition} PARTITION OF maskline_outcomes FOR VALUES IN ({day})"
            " WITH (autovacuum_vacuum_insert_threshold = -1)"
        )
        op.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {partition}_message_id ON {partition} (message_id)")
    op.execute(GUARD)
    _in_this_schema(EMPTY_OLD_DAYS)
    _in_this_schema(GATE)
    op.execute("REVOKE ALL ON FUNCTION maskline_empty_old_outcomes(), maskline_gate() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION maskline_empty_old_outcomes() TO maskline_writer")
    op.execute("GRANT INSERT, SELECT ON maskline_outcomes TO maskline_writer")
    op.execute(
        f"""
        DO $$
        DECLARE
            written record;
        BEGIN
            FOR written IN {WRITTEN_TABLES} LOOP
                EXECUTE format('DROP TRIGGER IF EXISTS maskline_gate ON %s', written.name);
                EXECUTE format(
                    'CREATE TRIGGER maskline_gate BEFORE INSERT ON %s FOR EACH ROW'
                    ' WHEN (NEW.message_id IS NOT NULL AND NEW.sent_at IS NOT NULL'
                    ' AND current_setting(''maskline.ledger'', true) IS DISTINCT FROM ''on'')'
                    ' EXECUTE FUNCTION maskline_gate()', written.name);
                EXECUTE format(
                    'INSERT INTO maskline_outcomes (message_id, sent_at) SELECT message_id, sent_at FROM %s'
                    ' WHERE message_id IS NOT NULL AND sent_at > now() - interval ''16 days'' ON CONFLICT DO NOTHING',
                    written.name);
            END LOOP;
        END $$
        """  # noqa: S608 - a constant of this module
    )


def downgrade() -> None:
    """Take gates and ledger away: rows and rejections say the same, to whoever has a unique index on message_id."""
    op.execute(
        f"""
        DO $$
        DECLARE
            written record;
        BEGIN
            FOR written IN {WRITTEN_TABLES} LOOP
                EXECUTE format('DROP TRIGGER IF EXISTS maskline_gate ON %s', written.name);
            END LOOP;
        END $$
        """
    )
    op.execute("DROP FUNCTION IF EXISTS maskline_gate(), maskline_empty_old_outcomes(), maskline_guard(bigint, bigint)")
    op.execute("DROP TABLE IF EXISTS maskline_outcomes")


def _in_this_schema(function: str) -> None:
    """Create a function that runs with its owner's permissions, and finds names where this migration does."""
    body = function.replace("%", "%%").format(schema="%I", ages=EMPTIED_AGES).replace("'", "''")
    op.execute(f"DO $do$ BEGIN EXECUTE format('{body}', current_schema()); END $do$")
