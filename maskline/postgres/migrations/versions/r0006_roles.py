"""Roles on a need-to-know basis. They cannot log in; grant them to the users who may.

Revision ID: 0006
Revises: 0005
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.catalog import where_owners
from maskline.postgres.migrations.roles import create_role, drop_role

revision = "0006"
down_revision = "0005"

ROLES = ("maskline_writer", "maskline_analyst", "maskline_auditor")


def upgrade() -> None:
    """Create the roles, which belong to the whole cluster and may be there, and grant each what it needs."""
    steps.short(
        "0006 roles",
        *map(create_role, ROLES),
        "GRANT INSERT, SELECT (message_id) ON rejected_messages TO maskline_writer",
        "GRANT SELECT ON maskline_schema_version TO maskline_writer",
        "GRANT INSERT ON pii_access_log TO maskline_analyst",
        "GRANT SELECT ON pii_access_log TO maskline_auditor",
        where_owners(
            """
            GRANT INSERT, SELECT (message_id) ON user_logins TO maskline_writer;
            GRANT SELECT ON user_logins TO maskline_analyst;
            """
        ),
    )


def downgrade() -> None:
    """Take the permissions back, and drop the roles that nobody else uses."""
    steps.short(
        "0006 roles gone",
        "REVOKE ALL ON rejected_messages, maskline_schema_version FROM maskline_writer",
        "REVOKE ALL (message_id) ON rejected_messages FROM maskline_writer",
        "REVOKE ALL ON pii_access_log FROM maskline_analyst, maskline_auditor",
        where_owners(
            """
            REVOKE ALL ON user_logins FROM maskline_writer, maskline_analyst;
            REVOKE ALL (message_id) ON user_logins FROM maskline_writer;
            """
        ),
        *map(drop_role, ROLES),
    )
