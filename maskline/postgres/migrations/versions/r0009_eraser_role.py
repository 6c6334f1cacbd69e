"""A role for forgetting a person: it finds and deletes rows and rejections, and of a row reads only whose it is.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"

ROLE = "maskline_eraser"


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
    op.execute(f"GRANT SELECT (user_id), DELETE ON user_logins TO {ROLE}")
    op.execute(f"GRANT SELECT (message_id, stream, body), DELETE ON rejected_messages TO {ROLE}")
    op.execute(f"GRANT INSERT ON pii_access_log TO {ROLE}")


def downgrade() -> None:
    """Take the permissions back, and drop the role unless somebody else uses it."""
    op.execute(f"REVOKE ALL ON user_logins, rejected_messages, pii_access_log FROM {ROLE}")
    op.execute(f"REVOKE ALL (user_id) ON user_logins FROM {ROLE}")
    op.execute(f"REVOKE ALL (message_id, stream, body) ON rejected_messages FROM {ROLE}")
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
