"""What publishing to the lake takes: by which transaction a row was written, and how far publications meant to go.

Rows that were there before get this migration's own transaction, without a rewrite of the table, so they are published
once like all others.

Revision ID: 0008
Revises: 0007
"""

from maskline.postgres.migrations import indexes, steps
from maskline.postgres.migrations.catalog import IS_OWNERS_TABLE, where_owners
from maskline.postgres.migrations.roles import create_role, drop_role

revision = "0008"
down_revision = "0007"

ROLE = "maskline_publisher"


def upgrade() -> None:
    """Add written_in with its index, ``lake_publications``, and a role that reads rows and writes none."""
    steps.short(
        "0008 written_in",
        where_owners(
            """
            ALTER TABLE user_logins
                ADD COLUMN IF NOT EXISTS written_in xid8 NOT NULL DEFAULT pg_current_xact_id();
            """
        ),
    )
    indexes.create_index("0008 written_in index", "written_in")
    steps.short(
        "0008 lake_publications",
        """
        CREATE TABLE IF NOT EXISTS lake_publications (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            stream varchar(63) NOT NULL,
            copy varchar(6) NOT NULL CHECK (copy IN ('opaque', 'clear')),
            lake_table uuid NOT NULL,
            horizon xid8 NOT NULL,
            row_count bigint NOT NULL CHECK (row_count >= 0),
            role_name name NOT NULL DEFAULT session_user,
            begun_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """,
        "CREATE INDEX IF NOT EXISTS lake_publications_horizon ON lake_publications (lake_table, horizon)",
        create_role(ROLE),
        where_owners(f"GRANT SELECT ON user_logins TO {ROLE};"),
        f"GRANT SELECT, INSERT ON lake_publications TO {ROLE}",
        f"GRANT INSERT ON pii_access_log TO {ROLE}",
    )


def downgrade() -> None:
    """Drop all of it, unless something was published: stamped anew, it would be published again."""
    steps.short(
        "0008 gone",
        f"""
        DO $$
        BEGIN
            LOCK TABLE lake_publications IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM lake_publications) THEN
                RAISE EXCEPTION 'user_logins was published to a lake, and without written_in nobody knows how far'
                    USING HINT = 'To begin anew, remove the copies from the lake and the rows from lake_publications.';
            END IF;
            DROP TABLE lake_publications;
            IF {IS_OWNERS_TABLE} THEN
                ALTER TABLE user_logins DROP COLUMN IF EXISTS written_in;
            END IF;
        END $$
        """,  # noqa: S608 - built from constants
        where_owners(f"REVOKE ALL ON user_logins FROM {ROLE};"),
        f"REVOKE ALL ON pii_access_log FROM {ROLE}",
        drop_role(ROLE),
    )
