"""The messages that could not become rows, their bodies encrypted.

Revision ID: 0004
Revises: 0003
"""

from maskline.postgres.migrations import steps

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create ``rejected_messages``."""
    steps.short(
        "0004 rejected_messages",
        """
        CREATE TABLE IF NOT EXISTS rejected_messages (
            message_id uuid PRIMARY KEY,
            stream varchar(63) NOT NULL,
            reason varchar(32) NOT NULL,
            detail text NOT NULL,
            sent_at timestamptz NOT NULL,
            receive_count integer NOT NULL,
            rejected_at timestamptz NOT NULL DEFAULT now(),
            key_id bigint NOT NULL,
            body bytea NOT NULL,
            requeued_at timestamptz,
            requeued_message_id uuid
        )
        """,
        "CREATE INDEX IF NOT EXISTS rejected_messages_rejected_at ON rejected_messages (rejected_at)",
    )


def downgrade() -> None:
    """Drop the table, unless it holds messages that were never sent back: they exist nowhere else."""
    steps.short(
        "0004 rejected_messages gone",
        """
        DO $$
        DECLARE
            waiting bigint;
        BEGIN
            LOCK TABLE rejected_messages IN ACCESS EXCLUSIVE MODE;
            SELECT count(*) INTO waiting FROM rejected_messages WHERE requeued_at IS NULL;
            IF waiting > 0 THEN
                RAISE EXCEPTION 'rejected_messages holds % messages that exist nowhere else', waiting
                    USING HINT = 'Send all of them back to the queue, or delete them, first.';
            END IF;
            DROP TABLE rejected_messages;
        END $$
        """,
    )
