"""What the database knows of its keys and masked columns, so that it can refuse what is written under another key.

``maskline_keys`` has every key that ever masked something here, with its state; ``maskline_key_writers`` which job
wrote under it, and when; ``maskline_columns`` in which domain each masked column was masked. Jobs enter what they use
by the functions below and can change nothing that is there.

A job of the revisions before this one names no keys to the guard. So its guard refuses all that it writes once any key
of the database is not enabled, for nobody can tell whether it is that one. Of a job that is older still, the gate sees
each row, with its key.

Revision ID: 0012
Revises: 0011
"""

from maskline.postgres.migrations import gates, steps
from maskline.postgres.migrations.catalog import WRITTEN_TABLES, leaves
from maskline.postgres.migrations.versions import r0010_ledger

revision = "0012"
down_revision = "0011"

KEYS = """
CREATE TABLE IF NOT EXISTS maskline_keys (
    key_id bigint PRIMARY KEY CHECK (key_id BETWEEN 0 AND 4294967295),
    state varchar(9) NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled', 'destroyed')),
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_written timestamptz
)
"""
KEY_WRITERS = """
CREATE TABLE IF NOT EXISTS maskline_key_writers (
    key_id bigint NOT NULL REFERENCES maskline_keys,
    job varchar(200) NOT NULL,
    last_written timestamptz NOT NULL,
    PRIMARY KEY (key_id, job)
)
"""
COLUMNS = """
CREATE TABLE IF NOT EXISTS maskline_columns (
    stream varchar(63) NOT NULL,
    table_name text NOT NULL,
    column_name name NOT NULL,
    domain text NOT NULL,
    mask text NOT NULL,
    normalization text,
    versions text,
    is_subject boolean NOT NULL DEFAULT false,
    first_seen timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (stream, table_name, column_name)
)
"""

GUARD = """
CREATE OR REPLACE FUNCTION maskline_guard(entered bigint, taken bigint, refused_keys bigint[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog AS $$
BEGIN
    IF refused_keys <> '{}' THEN
        RAISE EXCEPTION 'keys that are not enabled in this database' USING
            ERRCODE = 'MK002', DETAIL = array_to_string(refused_keys, ', ');
    END IF;
    IF taken IS DISTINCT FROM entered THEN
        RAISE EXCEPTION 'the table took % of % rows', taken, entered USING ERRCODE = 'MK001';
    END IF;
    RETURN true;
END $$
"""

# VOLATILE, so that it sees a key that was disabled after the statement began.
GUARD_OF_OLDER_JOBS = """
CREATE OR REPLACE FUNCTION maskline_guard(entered bigint, taken bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF taken IS DISTINCT FROM entered THEN
        RAISE EXCEPTION 'the table took % of % rows', taken, entered USING ERRCODE = 'MK001';
    END IF;
    IF EXISTS (SELECT FROM maskline_keys WHERE state <> 'enabled') THEN
        RAISE EXCEPTION 'a key of this database is not enabled, and this job does not say which it uses; upgrade it'
            USING ERRCODE = '57000';
    END IF;
    RETURN true;
END $$
"""

GATE = """
CREATE OR REPLACE FUNCTION maskline_gate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM maskline_keys WHERE key_id = NEW.key_id AND state <> 'enabled') THEN
        RAISE EXCEPTION 'key % is not enabled in this database', NEW.key_id USING ERRCODE = '57000';
    END IF;
    INSERT INTO maskline_outcomes (message_id, sent_at) VALUES (NEW.message_id, NEW.sent_at) ON CONFLICT DO NOTHING;
    IF FOUND THEN
        RETURN NEW;
    END IF;
    RETURN NULL; -- it has its outcome already; the older job takes it for a duplicate, which it is
END $$
"""

USE_KEYS = """
CREATE OR REPLACE FUNCTION maskline_use_keys(used bigint[], used_by text)
RETURNS TABLE (used_key bigint, key_state varchar)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
DECLARE
    writer text := left(format('%s as %s', used_by, session_user), 200);
BEGIN
    INSERT INTO maskline_keys AS known (key_id, last_written)
        SELECT DISTINCT key_id, clock_timestamp() FROM unnest(used) AS key_id ORDER BY key_id
        ON CONFLICT (key_id) DO UPDATE SET last_written = clock_timestamp() WHERE known.state = 'enabled';
    INSERT INTO maskline_key_writers AS known (key_id, job, last_written)
        SELECT key_id, writer, clock_timestamp() FROM maskline_keys WHERE key_id = ANY (used) AND state = 'enabled'
        ORDER BY key_id
        ON CONFLICT (key_id, job) DO UPDATE SET last_written = clock_timestamp();
    DELETE FROM maskline_key_writers WHERE (key_id, job) IN (
        SELECT old.key_id, old.job FROM maskline_key_writers AS old
        WHERE old.last_written < clock_timestamp() - interval '1 day' FOR UPDATE SKIP LOCKED
    );
    RETURN QUERY SELECT key_id, state FROM maskline_keys WHERE key_id = ANY (used) ORDER BY key_id;
END $$
"""

USE_COLUMN = """
CREATE OR REPLACE FUNCTION maskline_use_column(
    used_stream text, used_table text, used_column text, used_domain text, used_mask text, used_normalization text,
    used_versions text
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
    UPDATE maskline_columns AS known SET column_name = used_column
    WHERE NOT EXISTS (
        SELECT FROM maskline_columns AS used
        WHERE (used.stream, used.table_name, used.column_name) = (used_stream, used_table, used_column)
    ) AND known.ctid = (
        SELECT gone.ctid FROM maskline_columns AS gone
        WHERE (gone.stream, gone.table_name, gone.domain, gone.mask)
            = (used_stream, used_table, used_domain, used_mask)
          AND NOT EXISTS (
              SELECT FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
              JOIN pg_namespace ON pg_namespace.oid = relnamespace
              WHERE quote_ident(nspname) || '.' || quote_ident(relname) = gone.table_name
                AND attname = gone.column_name AND NOT attisdropped
          )
        ORDER BY gone.column_name LIMIT 1
    );
    IF NOT FOUND THEN
        INSERT INTO maskline_columns (stream, table_name, column_name, domain, mask, normalization, versions)
        VALUES (used_stream, used_table, used_column, used_domain, used_mask, used_normalization, used_versions)
        ON CONFLICT DO NOTHING;
    END IF;
END $$
"""

# A table that was remasked has the new key in its oldest rows, so the newest of each key's say which key is newer.
KNOWN_KEYS = f"""
    SELECT leaf.oid::regclass::text, format(
        'INSERT INTO maskline_keys AS known (key_id, first_seen, last_written)'
        ' SELECT key_id, max(sent_at), max(sent_at) FROM ONLY %s'
        ' WHERE ctid >= :first AND ctid < :last AND message_id IS NOT NULL AND key_id BETWEEN 0 AND 4294967295'
        ' GROUP BY key_id ORDER BY key_id'
        ' ON CONFLICT (key_id) DO UPDATE SET'
        ' first_seen = CASE WHEN known.first_seen = known.last_written'
        ' THEN greatest(known.last_written, excluded.last_written) ELSE known.first_seen END,'
        ' last_written = greatest(known.last_written, excluded.last_written)'
        ' WHERE known.last_written < excluded.last_written', leaf.oid::regclass)
    FROM ({WRITTEN_TABLES}) AS written, LATERAL ({leaves("written.oid")}) AS leaf
"""  # noqa: S608 - built from constants

_FUNCTIONS = (
    "maskline_guard(bigint, bigint, bigint[])",
    "maskline_use_keys(bigint[], text)",
    "maskline_use_column(text, text, text, text, text, text, text)",
)
_KEPT_KEYS = """
DO $$
DECLARE
    kept text := (SELECT string_agg(key_id || ' is ' || state, ', ' ORDER BY key_id)
                  FROM maskline_keys WHERE state <> 'enabled');
BEGIN
    IF kept IS NOT NULL THEN
        RAISE EXCEPTION 'key %, and before this revision nothing keeps a job from writing under it', kept
            USING HINT = 'To go back all the same, remove these keys from maskline_key_writers and maskline_keys.';
    END IF;
END $$
"""


def upgrade() -> None:
    """Make the tables and the functions, and enter the keys of the rows that are there."""
    steps.short(
        "0012 keys",
        KEYS,
        KEY_WRITERS,
        COLUMNS,
        GUARD,
        r0010_ledger.in_this_schema(GUARD_OF_OLDER_JOBS),
        r0010_ledger.in_this_schema(GATE),
        r0010_ledger.in_this_schema(USE_KEYS),
        r0010_ledger.in_this_schema(USE_COLUMN),
        f"REVOKE ALL ON FUNCTION {', '.join(_FUNCTIONS[1:])} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {', '.join(_FUNCTIONS[1:])} TO maskline_writer",
        f"GRANT EXECUTE ON FUNCTION {_FUNCTIONS[1]} TO maskline_remasker",
        "GRANT SELECT ON maskline_keys, maskline_columns TO maskline_writer, maskline_remasker, maskline_analyst,"
        " maskline_publisher, maskline_eraser, maskline_auditor",
        "GRANT SELECT ON maskline_key_writers TO maskline_remasker, maskline_auditor",
        "GRANT INSERT, UPDATE ON maskline_keys TO maskline_remasker",
    )
    steps.through_pages("0012 keys entered", KNOWN_KEYS)


def downgrade() -> None:
    """Drop all of it, unless a key is disabled or destroyed."""
    steps.short(
        "0012 keys gone",
        "LOCK TABLE maskline_keys IN ACCESS EXCLUSIVE MODE",
        _KEPT_KEYS,
        r0010_ledger.in_this_schema(gates.FUNCTION),
        r0010_ledger.GUARD,
        "ALTER FUNCTION maskline_guard(bigint, bigint) SECURITY INVOKER IMMUTABLE",
        f"DROP FUNCTION IF EXISTS {', '.join(_FUNCTIONS)}",
        "DROP TABLE IF EXISTS maskline_key_writers, maskline_keys, maskline_columns",
    )
