"""Versions as text: "2.0", "2.00" and "0.2.6" are three versions, and no integer keeps them apart.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Turn the integer into text, keeping every version; a table that has text already stays as it is."""
    op.execute(
        """
        DO $$
        BEGIN
            IF (SELECT atttypid FROM pg_attribute
                WHERE attrelid = 'user_logins'::regclass AND attname = 'app_version') <> 'varchar'::regtype THEN
                ALTER TABLE user_logins ALTER COLUMN app_version TYPE varchar(32) USING app_version::text;
            END IF;
        END $$
        """
    )


def downgrade() -> None:
    """Turn text back into an integer, unless that would lose a version."""
    op.execute(
        r"""
        DO $$
        DECLARE
            standing_rows bigint;
            standing_versions text;
        BEGIN
            LOCK TABLE user_logins IN ACCESS EXCLUSIVE MODE;
            WITH standing AS (
                SELECT app_version, count(*) AS row_count
                FROM user_logins
                WHERE CASE
                    WHEN app_version ~ '^(0|-?[1-9][0-9]{0,9})$'
                    THEN app_version::bigint NOT BETWEEN -2147483648 AND 2147483647
                    ELSE app_version IS NOT NULL
                END
                GROUP BY app_version
            ), numbered AS (
                SELECT *, row_number() OVER (ORDER BY row_count DESC, app_version) AS place FROM standing
            )
            SELECT coalesce(sum(row_count), 0),
                   string_agg(format('%L (%s rows)', app_version, row_count), ', ' ORDER BY place)
                       FILTER (WHERE place <= 10)
                   || CASE WHEN count(*) > 10 THEN format(' and %s more versions', count(*) - 10) ELSE '' END
            INTO standing_rows, standing_versions
            FROM numbered;
            IF standing_rows > 0 THEN
                RAISE EXCEPTION
                    'going back to an integer app_version would lose the version of % rows of user_logins: %',
                    standing_rows, standing_versions
                    USING HINT = 'Find them with: SELECT * FROM user_logins'
                        ' WHERE length(app_version) > 9 OR app_version !~ ''^(0|-?[1-9][0-9]*)$''';
            END IF;
            ALTER TABLE user_logins ALTER COLUMN app_version TYPE integer USING app_version::integer;
        END $$
        """
    )
