"""What publishing to the lake takes: by which transaction a row was written, and how far publications meant to go.

Rows that were there before get this migration's own transaction, without a rewrite of the table, so they are published
once like all others.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"

ROLE = "maskline_publisher"


def upgrade() -> None:
    """Add written_in with its index, ``lake_publications``, and a role that reads rows and writes none."""
    op.execute("ALTER TABLE user_logins ADD COLUMN written_in xid8 NOT NULL DEFAULT pg_current_xact_id()")
    op.execute("CREATE INDEX user_logins_written_in ON user_logins (written_in)")
    op.execute(
        """
        CREATE TABLE lake_publications (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            stream varchar(63) NOT NULL,
            copy varchar(6) NOT NULL CHECK (copy IN ('opaque', 'clear')),
            lake_table uuid NOT NULL,
            horizon xid8 NOT NULL,
            row_count bigint NOT NULL CHECK (row_count >= 0),
            role_name name NOT NULL DEFAULT session_user,
            begun_at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
        """
    )
    op.execute("CREATE INDEX lake_publications_horizon ON lake_publications (lake_table, horizon)")
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
    op.execute(f"GRANT SELECT ON user_logins TO {ROLE}")
    op.execute(f"GRANT SELECT, INSERT ON lake_publications TO {ROLE}")
    op.execute(f"GRANT INSERT ON pii_access_log TO {ROLE}")


def downgrade() -> None:
    """Drop all of it, unless something was published: stamped anew, it would be published again."""
    op.execute(
        """
        DO $$
        BEGIN
            LOCK TABLE lake_publications, user_logins IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM lake_publications) THEN
                RAISE EXCEPTION 'user_logins was published to a lake, and without written_in nobody knows how far'
                    USING HINT = 'To begin anew, remove the copies from the lake and the rows from lake_publications.';
            END IF;
            DROP TABLE lake_publications;
            ALTER TABLE user_logins DROP COLUMN written_in;
        END $$
        """
    )
    op.execute(f"REVOKE ALL ON user_logins, pii_access_log FROM {ROLE}")
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
