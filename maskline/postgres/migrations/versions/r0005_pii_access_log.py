"""The log of every recovery of personal data: append-only, and who and when are the server's word.

Revision ID: 0005
Revises: 0004
"""

from maskline.postgres.migrations import steps

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create ``pii_access_log`` with the triggers that guard it."""
    steps.short(
        "0005 pii_access_log",
        """
        CREATE TABLE IF NOT EXISTS pii_access_log (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            accessed_at timestamptz NOT NULL,
            role_name name NOT NULL,
            action varchar(32) NOT NULL,
            stream varchar(63) NOT NULL,
            column_name varchar(63) NOT NULL,
            row_count bigint NOT NULL CHECK (row_count >= 0),
            reason text NOT NULL CHECK (reason ~ '[^[:space:]]')
        )
        """,
        """
        CREATE OR REPLACE FUNCTION maskline_stamp_pii_access() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.accessed_at := clock_timestamp();
            NEW.role_name := session_user;
            RETURN NEW;
        END $$
        """,
        """
        CREATE OR REPLACE FUNCTION maskline_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$
        """,
        "DROP TRIGGER IF EXISTS stamp ON pii_access_log",
        "CREATE TRIGGER stamp BEFORE INSERT ON pii_access_log"
        " FOR EACH ROW EXECUTE FUNCTION maskline_stamp_pii_access()",
        "DROP TRIGGER IF EXISTS append_only ON pii_access_log",
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pii_access_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION maskline_refuse_change()",
    )


def downgrade() -> None:
    """Drop the log where it is empty; else keep it under another name, for what it says is said nowhere else."""
    steps.short(
        "0005 pii_access_log gone",
        """
        DO $$
        BEGIN
            LOCK TABLE pii_access_log IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM pii_access_log) THEN
                EXECUTE format(
                    'ALTER TABLE pii_access_log RENAME TO %I',
                    'pii_access_log_until_' || to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMMDD_HH24MISS_US')
                );
            ELSE
                DROP TABLE pii_access_log;
            END IF;
            BEGIN
                DROP FUNCTION maskline_stamp_pii_access(), maskline_refuse_change();
            EXCEPTION WHEN dependent_objects_still_exist THEN
                NULL; -- a log that was kept goes on being guarded
            END;
        END $$
        """,
    )
