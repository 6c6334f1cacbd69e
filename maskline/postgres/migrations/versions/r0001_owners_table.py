"""The table as its owner made it: here nothing is done to it, and going back to here leaves nothing of ours in it.

Revision ID: 0001
Revises: none
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.catalog import where_owners

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Leave the table alone, and make none where there is none."""


def downgrade() -> None:
    """Leave the table alone: it is its owner's, and so are its rows. Take away what a killed migration left in it."""
    steps.short(
        "0001 leftovers",
        where_owners(
            """
            DROP TRIGGER IF EXISTS zz_maskline_app_version ON user_logins;
            ALTER TABLE user_logins DROP COLUMN IF EXISTS maskline_app_version;
            """
        ),
        "DROP FUNCTION IF EXISTS maskline_copy_app_version()",
    )
