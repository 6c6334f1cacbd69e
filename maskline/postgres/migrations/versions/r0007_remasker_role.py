"""A role for the rotation of keys: it may read and replace tokens and sealed bodies, and nothing else of a row.

Revision ID: 0007
Revises: 0006
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.catalog import where_owners
from maskline.postgres.migrations.roles import create_role, drop_role

revision = "0007"
down_revision = "0006"

ROLE = "maskline_remasker"
PLACE = "tableoid, ctid"
"""Where a row lies: system columns, each with a permission of its own."""

ROWS = "message_id, key_id, masked_ip, masked_device_id"
REJECTIONS = "message_id, key_id, body"


def upgrade() -> None:
    """Create the role, which may be there for another database of the cluster, and grant what it needs."""
    steps.short(
        f"0007 {ROLE}",
        create_role(ROLE),
        f"GRANT SELECT ({PLACE}, {REJECTIONS}), UPDATE (key_id, body) ON rejected_messages TO {ROLE}",
        f"GRANT INSERT ON pii_access_log TO {ROLE}",
        where_owners(
            f"GRANT SELECT ({PLACE}, {ROWS}), UPDATE (key_id, masked_ip, masked_device_id) ON user_logins TO {ROLE};"
        ),
    )


def downgrade() -> None:
    """Take the permissions back, and drop the role unless somebody else uses it."""
    steps.short(
        f"0007 {ROLE} gone",
        where_owners(f"REVOKE ALL ({PLACE}, {ROWS}) ON user_logins FROM {ROLE};"),
        f"REVOKE ALL ({PLACE}, {REJECTIONS}) ON rejected_messages FROM {ROLE}",
        f"REVOKE ALL ON pii_access_log FROM {ROLE}",
        drop_role(ROLE),
    )
