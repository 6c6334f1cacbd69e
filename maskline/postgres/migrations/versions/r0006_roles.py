"""Roles on a need-to-know basis. They cannot log in; grant them to the users who may.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"

ROLES = ("maskline_writer", "maskline_analyst", "maskline_auditor")


def upgrade() -> None:
    """Create the roles, which belong to the whole cluster and may be there, and grant each what it needs."""
    for role in ROLES:
        op.execute(
            f"""
            DO $$
            BEGIN
                IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN
                    CREATE ROLE {role} NOLOGIN;
                END IF;
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL; -- another database's migration was quicker
            END $$
            """
        )
    op.execute("GRANT INSERT, SELECT (message_id) ON user_logins, rejected_messages TO maskline_writer")
    op.execute("GRANT SELECT ON maskline_schema_version TO maskline_writer")
    op.execute("GRANT SELECT ON user_logins TO maskline_analyst")
    op.execute("GRANT INSERT ON pii_access_log TO maskline_analyst")
    op.execute("GRANT SELECT ON pii_access_log TO maskline_auditor")


def downgrade() -> None:
    """Take the permissions back, and drop the roles that nobody else uses."""
    op.execute("REVOKE ALL ON user_logins, rejected_messages, maskline_schema_version FROM maskline_writer")
    op.execute("REVOKE ALL (message_id) ON user_logins, rejected_messages FROM maskline_writer")
    op.execute("REVOKE ALL ON user_logins, pii_access_log FROM maskline_analyst")
    op.execute("REVOKE ALL ON pii_access_log FROM maskline_auditor")
    for role in ROLES:
        op.execute(
            f"""
            DO $$
            BEGIN
                DROP ROLE {role};
            EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
                RAISE NOTICE 'role {role} is still in use and stays';
            END $$
            """
        )
