"""The table as its owner made it, for a database that does not have it yet.

Revision ID: 0001
Revises: none
"""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create ``user_logins`` where there is none."""
    op.execute(
        """
        CREATE TABLE IF NOT EXISTS user_logins (
            user_id varchar(128),
            device_type varchar(32),
            masked_ip varchar(256),
            masked_device_id varchar(256),
            locale varchar(32),
            app_version integer,
            create_date date
        )
        """
    )


def downgrade() -> None:
    """Leave the table alone: it is its owner's, and so are its rows."""
