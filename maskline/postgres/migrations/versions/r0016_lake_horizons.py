"""Horizons of the lake that know their server, and which rows were brought back from a copy.

Each entry of ``lake_publications`` holds the transaction that made it: where Postgres's own ``xmin`` of the row is
another one, the row came from elsewhere, and so may all others have. Entries of before have none, so their copies are
compared once with the table. ``lake_restores`` tells publications which rows a copy may have already.

Revision ID: 0016
Revises: 0015
"""

from maskline.postgres.migrations import steps

revision = "0016"
down_revision = "0015"

RESTORES = """
CREATE TABLE IF NOT EXISTS lake_restores (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stream varchar(63) NOT NULL,
    lake_table uuid NOT NULL,
    row_count bigint NOT NULL CHECK (row_count >= 0),
    recorded_in xid8 NOT NULL DEFAULT pg_current_xact_id(),
    role_name name NOT NULL DEFAULT session_user,
    restored_at timestamptz NOT NULL DEFAULT clock_timestamp()
)
"""


def upgrade() -> None:
    """Add the transaction to ``lake_publications``, and make ``lake_restores``."""
    steps.short(
        "0016 lake_publications prove themselves",
        """
        ALTER TABLE lake_publications
            ADD COLUMN IF NOT EXISTS recorded_in xid8,
            ADD COLUMN IF NOT EXISTS compared_below xid8
        """,
        # Apart from ADD COLUMN, which would give it to the entries of before, too.
        "ALTER TABLE lake_publications ALTER COLUMN recorded_in SET DEFAULT pg_current_xact_id()",
    )
    steps.short(
        "0016 lake_restores",
        RESTORES,
        "CREATE INDEX IF NOT EXISTS lake_restores_transactions ON lake_restores (stream, recorded_in)",
        "GRANT SELECT, INSERT ON lake_restores TO maskline_publisher",
    )


def downgrade() -> None:
    """Drop both, unless a copy's horizon is not past restored rows yet: an older publisher would double them."""
    steps.short(
        "0016 gone",
        """
        DO $$
        BEGIN
            LOCK TABLE lake_publications, lake_restores IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (
                SELECT FROM lake_restores AS restored WHERE EXISTS (
                    SELECT FROM lake_publications AS published WHERE published.stream = restored.stream
                    GROUP BY copy HAVING max(horizon::text::numeric) <= restored.recorded_in::text::numeric
                )
            ) THEN
                RAISE EXCEPTION 'rows were restored from a copy, and are not compared with each copy yet'
                    USING HINT = 'Publish both copies first.';
            END IF;
            DROP TABLE lake_restores;
            ALTER TABLE lake_publications DROP COLUMN IF EXISTS recorded_in, DROP COLUMN IF EXISTS compared_below;
        END $$
        """,
    )
