"""Recovery: a log that no login can forge, hide or flood, and rejections that know their queue.

The functions of the log find names by a search path of their own, whoever calls them; a login makes as many entries an
hour as any honest use takes, each of a bounded length and one line; and nobody but the server numbers them. The queue
of a rejection is what the transaction that writes it says by a setting, so jobs of earlier versions go on writing.

Revision ID: 0013
Revises: 0012
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.versions.r0010_ledger import in_this_schema

revision = "0013"
down_revision = "0012"

MAX_ENTRIES_PER_HOUR = 10_000
MAX_REASON = 1_000
MAX_CONDITION = 4_000

_LOGGING_ROLES = "maskline_analyst, maskline_remasker, maskline_publisher, maskline_eraser"
_ENTERED = "accessed_at, role_name, action, stream, column_name, row_count, reason"

STAMP = """
CREATE OR REPLACE FUNCTION maskline_stamp_pii_access() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp SET lock_timeout = '10s' AS $$
DECLARE
    entered integer;
BEGIN
    NEW.accessed_at := pg_catalog.clock_timestamp();
    NEW.role_name := session_user;
    INSERT INTO maskline_access_counts AS counts (role_name, hour, entries)
    VALUES (session_user, date_trunc('hour', NEW.accessed_at), 1)
    ON CONFLICT (role_name) DO UPDATE SET
        hour = excluded.hour,
        entries = CASE WHEN counts.hour = excluded.hour THEN counts.entries + 1 ELSE 1 END
    RETURNING entries INTO entered;
    IF entered > {most} THEN
        RAISE EXCEPTION 'login % entered {most} recoveries in this hour', session_user USING ERRCODE = 'MK003';
    END IF;
    RETURN NEW;
END $$
"""

_STAMP_WITHOUT_LIMIT = """
CREATE OR REPLACE FUNCTION maskline_stamp_pii_access() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.accessed_at := pg_catalog.clock_timestamp();
    NEW.role_name := session_user;
    RETURN NEW;
END $$
"""


def upgrade() -> None:
    """Guard the log, give it the condition, and have rejections keep their queue."""
    steps.short(
        "0013 pii_access_log guarded",
        """
        CREATE TABLE IF NOT EXISTS maskline_access_counts (
            role_name name PRIMARY KEY,
            hour timestamptz NOT NULL,
            entries integer NOT NULL
        )
        """,
        in_this_schema(STAMP.replace("{most}", str(MAX_ENTRIES_PER_HOUR))),
        "ALTER FUNCTION maskline_refuse_change() SET search_path = pg_catalog, pg_temp",
        "REVOKE ALL ON FUNCTION maskline_stamp_pii_access() FROM PUBLIC",
        f"""
        ALTER TABLE pii_access_log
            ADD COLUMN IF NOT EXISTS condition text,
            DROP CONSTRAINT IF EXISTS pii_access_log_bounded,
            ADD CONSTRAINT pii_access_log_bounded
                CHECK (char_length(reason) <= {MAX_REASON} AND char_length(condition) <= {MAX_CONDITION}) NOT VALID,
            DROP CONSTRAINT IF EXISTS pii_access_log_one_line,
            ADD CONSTRAINT pii_access_log_one_line
                CHECK (concat(action, stream, column_name, reason, condition) !~ '[[:cntrl:]]') NOT VALID
        """,
        # With a permission on the whole table, OVERRIDING SYSTEM VALUE would choose an entry's number.
        f"REVOKE INSERT ON pii_access_log FROM {_LOGGING_ROLES}",
        f"GRANT INSERT ({_ENTERED}, condition) ON pii_access_log TO {_LOGGING_ROLES}",
    )
    steps.short(
        "0013 rejections know their queue",
        "ALTER TABLE rejected_messages"
        " ADD COLUMN IF NOT EXISTS queue text DEFAULT nullif(current_setting('maskline.queue', true), '')",
        "GRANT SELECT (stream) ON rejected_messages TO maskline_remasker",
    )


def downgrade() -> None:
    """Take the limits back, and the conditions where no entry has one; the functions stay safe."""
    steps.short(
        "0013 gone",
        _STAMP_WITHOUT_LIMIT,
        "GRANT EXECUTE ON FUNCTION maskline_stamp_pii_access() TO PUBLIC",
        "DROP TABLE IF EXISTS maskline_access_counts",
        f"REVOKE INSERT ON pii_access_log FROM {_LOGGING_ROLES}",
        f"GRANT INSERT ON pii_access_log TO {_LOGGING_ROLES}",
        """
        ALTER TABLE pii_access_log
            DROP CONSTRAINT IF EXISTS pii_access_log_bounded,
            DROP CONSTRAINT IF EXISTS pii_access_log_one_line
        """,
        """
        DO $$
        BEGIN
            LOCK TABLE pii_access_log IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM pii_access_log WHERE condition IS NOT NULL) THEN
                RETURN;
            END IF;
            ALTER TABLE pii_access_log DROP COLUMN condition;
        EXCEPTION WHEN undefined_column THEN
            NULL; -- it is gone already
        END $$
        """,
        "REVOKE SELECT (stream) ON rejected_messages FROM maskline_remasker",
        "ALTER TABLE rejected_messages DROP COLUMN IF EXISTS queue",
    )
