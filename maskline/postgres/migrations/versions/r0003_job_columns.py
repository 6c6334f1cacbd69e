"""What the job writes beside the message's own fields; the unique index is what makes it idempotent.

Rows that were there before keep NULL in the new columns: nobody knows their message.

Revision ID: 0003
Revises: 0002
"""

from maskline.postgres.migrations import indexes, steps
from maskline.postgres.migrations.catalog import IS_OWNERS_TABLE, where_owners

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add message_id with its unique index, sent_at, processed_at and key_id."""
    steps.short(
        "0003 columns",
        where_owners(
            """
            ALTER TABLE user_logins
                ADD COLUMN IF NOT EXISTS message_id uuid,
                ADD COLUMN IF NOT EXISTS sent_at timestamptz,
                ADD COLUMN IF NOT EXISTS processed_at timestamptz,
                ADD COLUMN IF NOT EXISTS key_id bigint;
            ALTER TABLE user_logins ALTER COLUMN processed_at SET DEFAULT now();
            """
        ),
    )
    indexes.create_unique_index("0003 message_id", "message_id")


def downgrade() -> None:
    """Drop the columns, unless a row has them: a message that comes back would double, a token would lose its key."""
    steps.short(
        "0003 columns gone",
        f"""
        DO $$
        BEGIN
            IF NOT {IS_OWNERS_TABLE} THEN
                RETURN;
            END IF;
            LOCK TABLE user_logins IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM user_logins WHERE message_id IS NOT NULL) THEN
                RAISE NOTICE 'user_logins keeps message_id, sent_at, processed_at and key_id, which its rows need';
                ALTER TABLE user_logins ALTER COLUMN processed_at DROP DEFAULT;
            ELSE
                ALTER TABLE user_logins
                    DROP COLUMN message_id,
                    DROP COLUMN sent_at,
                    DROP COLUMN processed_at,
                    DROP COLUMN key_id;
            END IF;
        END $$
        """,
    )
