"""A role for forgetting a person: it finds and deletes rows and rejections, and of a row reads only whose it is.

Revision ID: 0009
Revises: 0008
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.catalog import where_owners
from maskline.postgres.migrations.roles import create_role, drop_role

revision = "0009"
down_revision = "0008"

ROLE = "maskline_eraser"


def upgrade() -> None:
    """Create the role, which may be there for another database of the cluster, and grant what it needs."""
    steps.short(
        f"0009 {ROLE}",
        create_role(ROLE),
        where_owners(f"GRANT SELECT (user_id), DELETE ON user_logins TO {ROLE};"),
        f"GRANT SELECT (message_id, stream, body), DELETE ON rejected_messages TO {ROLE}",
        f"GRANT INSERT ON pii_access_log TO {ROLE}",
    )


def downgrade() -> None:
    """Take the permissions back, and drop the role unless somebody else uses it."""
    steps.short(
        f"0009 {ROLE} gone",
        f"REVOKE ALL ON rejected_messages, pii_access_log FROM {ROLE}",
        f"REVOKE ALL (message_id, stream, body) ON rejected_messages FROM {ROLE}",
        where_owners(f"REVOKE ALL ON user_logins FROM {ROLE}; REVOKE ALL (user_id) ON user_logins FROM {ROLE};"),
        drop_role(ROLE),
    )
