"""The ledger alone: no gates for older jobs, and no index that grows for ever.

After this no job of a version before the ledger can write: it stops with one line, and nothing is lost.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"

GATED_TABLES = """
    SELECT tgrelid::regclass AS name FROM pg_trigger
    WHERE tgname = 'maskline_gate' AND tgparentid = 0 AND NOT tgisinternal
"""


def upgrade() -> None:
    """Drop the gates, and the unique index on the message ids of ``user_logins``."""
    op.execute(
        f"""
        DO $$
        DECLARE
            gated record;
        BEGIN
            FOR gated IN {GATED_TABLES} LOOP
                EXECUTE format('DROP TRIGGER maskline_gate ON %s', gated.name);
            END LOOP;
        END $$
        """
    )
    op.execute("DROP INDEX IF EXISTS user_logins_message_id")


def downgrade() -> None:
    """Bring the index back, which an older job needs, and the gates, which enter what it writes."""
    op.execute("CREATE UNIQUE INDEX IF NOT EXISTS user_logins_message_id ON user_logins (message_id)")
    op.execute(
        """
        DO $$
        DECLARE
            written text;
        BEGIN
            FOREACH written IN ARRAY ARRAY['user_logins', 'rejected_messages'] LOOP
                EXECUTE format('DROP TRIGGER IF EXISTS maskline_gate ON %I', written);
                EXECUTE format(
                    'CREATE TRIGGER maskline_gate BEFORE INSERT ON %I FOR EACH ROW'
                    ' WHEN (NEW.message_id IS NOT NULL AND NEW.sent_at IS NOT NULL'
                    ' AND current_setting(''maskline.ledger'', true) IS DISTINCT FROM ''on'')'
                    ' EXECUTE FUNCTION maskline_gate()', written);
            END LOOP;
        END $$
        """
    )
