"""The log of every recovery of personal data: append-only, and who and when are the server's word.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create ``pii_access_log`` with the triggers that guard it."""
    op.execute(
        """
        CREATE TABLE pii_access_log (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            accessed_at timestamptz NOT NULL,
            role_name name NOT NULL,
            action varchar(32) NOT NULL,
            stream varchar(63) NOT NULL,
            column_name varchar(63) NOT NULL,
            row_count bigint NOT NULL CHECK (row_count >= 0),
            reason text NOT NULL CHECK (reason ~ '[^[:space:]]')
        )
        """
    )
    op.execute(
        """
        CREATE FUNCTION maskline_stamp_pii_access() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.accessed_at := clock_timestamp();
            NEW.role_name := session_user;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        """
        CREATE FUNCTION maskline_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'pii_access_log is append-only' USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER stamp BEFORE INSERT ON pii_access_log FOR EACH ROW EXECUTE FUNCTION maskline_stamp_pii_access()"
    )
    op.execute(
        "CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON pii_access_log"
        " FOR EACH STATEMENT EXECUTE FUNCTION maskline_refuse_change()"
    )


def downgrade() -> None:
    """Drop the log, unless it has entries: what it says is said nowhere else."""
    op.execute(
        """
        DO $$
        BEGIN
            LOCK TABLE pii_access_log IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM pii_access_log) THEN
                RAISE EXCEPTION 'pii_access_log has entries, which exist nowhere else'
                    USING HINT = 'Keep a copy, then rename the table out of the way.';
            END IF;
            DROP TABLE pii_access_log;
        END $$
        """
    )
    op.execute("DROP FUNCTION maskline_stamp_pii_access(), maskline_refuse_change()")
