"""A role for the rotation of keys: it may read and replace tokens and sealed bodies, and nothing else of a row.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"

ROLE = "maskline_remasker"
PLACE = "tableoid, ctid"
"""Where a row lies: system columns, each with a permission of its own."""

ROWS = "message_id, key_id, masked_ip, masked_device_id"
REJECTIONS = "message_id, key_id, body"


def upgrade() -> None:
    """Create the role, which may be there for another database of the cluster, and grant what it needs."""
    op.execute(
        f"""
        DO $$
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{ROLE}') THEN
                CREATE ROLE {ROLE} NOLOGIN;
            END IF;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database's migration was quicker
        END $$
        """
    )
    op.execute(f"GRANT SELECT ({PLACE}, {ROWS}), UPDATE (key_id, masked_ip, masked_device_id) ON user_logins TO {ROLE}")
    op.execute(f"GRANT SELECT ({PLACE}, {REJECTIONS}), UPDATE (key_id, body) ON rejected_messages TO {ROLE}")
    op.execute(f"GRANT INSERT ON pii_access_log TO {ROLE}")


def downgrade() -> None:
    """Take the permissions back, and drop the role unless somebody else uses it."""
    op.execute(f"REVOKE ALL ({PLACE}, {ROWS}) ON user_logins FROM {ROLE}")
    op.execute(f"REVOKE ALL ({PLACE}, {REJECTIONS}) ON rejected_messages FROM {ROLE}")
    op.execute(f"REVOKE ALL ON pii_access_log FROM {ROLE}")
    op.execute(
        f"""
        DO $$
        BEGIN
            DROP ROLE {ROLE};
        EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
            RAISE NOTICE 'role {ROLE} is still in use and stays';
        END $$
        """
    )
