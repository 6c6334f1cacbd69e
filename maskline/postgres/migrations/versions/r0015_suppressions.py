"""Suppressions: a message of a person who was erased, sent before that, becomes no row when it is delivered again.

Writers read ``maskline_suppressions`` in the transaction that writes, and an erasure locks it before it looks for rows
that were committed meanwhile: so a row is either seen by the erasure, or its writer sees the suppression.

Revision ID: 0015
Revises: 0013
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.catalog import where_owners
from maskline.postgres.migrations.versions.r0010_ledger import in_this_schema

revision = "0015"
down_revision = "0013"

SUPPRESSIONS = """
CREATE TABLE IF NOT EXISTS maskline_suppressions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 20),
    erased_at timestamptz NOT NULL
)
"""

# VOLATILE: a function without arguments that is not would be run while the statement is planned.
UNJUDGED = """
CREATE OR REPLACE FUNCTION maskline_raise_unjudged() RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog AS $$
BEGIN
    RAISE EXCEPTION 'there are suppressions that this writer has not read' USING ERRCODE = 'MK004';
END $$
"""

EXPIRE = """
CREATE OR REPLACE FUNCTION maskline_expire_suppressions() RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    WITH expired AS (
        DELETE FROM maskline_suppressions WHERE erased_at < now() - interval '16 days' RETURNING 1
    )
    SELECT count(*) FROM expired
$$
"""


def upgrade() -> None:
    """Make the table and its functions, and let the eraser tell apart what was written meanwhile."""
    steps.short(
        "0015 suppressions",
        SUPPRESSIONS,
        "CREATE INDEX IF NOT EXISTS maskline_suppressions_erased_at ON maskline_suppressions (erased_at)",
        UNJUDGED,
        in_this_schema(EXPIRE),
        "REVOKE ALL ON FUNCTION maskline_expire_suppressions() FROM PUBLIC",
        "GRANT EXECUTE ON FUNCTION maskline_expire_suppressions() TO maskline_writer",
        "GRANT SELECT ON maskline_suppressions TO maskline_writer",
        "GRANT SELECT, INSERT, DELETE ON maskline_suppressions TO maskline_eraser",
    )
    steps.short(
        "0015 eraser",
        where_owners("GRANT SELECT (xmin, key_id, written_in) ON user_logins TO maskline_eraser;"),
        "GRANT SELECT (xmin, reason, sent_at) ON rejected_messages TO maskline_eraser",
        "GRANT SELECT (stream, copy) ON lake_publications TO maskline_eraser",
    )


def downgrade() -> None:
    """Drop all of it, unless a suppression is in force: without it, a message could bring a person back."""
    steps.short(
        "0015 suppressions gone",
        """
        DO $$
        BEGIN
            LOCK TABLE maskline_suppressions IN ACCESS EXCLUSIVE MODE;
            IF EXISTS (SELECT FROM maskline_suppressions WHERE erased_at >= now() - interval '16 days') THEN
                RAISE EXCEPTION 'persons were erased in the last 16 days, and a message could bring them back'
                    USING HINT = 'To go back all the same, delete the rows of maskline_suppressions.';
            END IF;
            DROP TABLE maskline_suppressions;
        END $$
        """,
        "DROP FUNCTION IF EXISTS maskline_expire_suppressions(), maskline_raise_unjudged()",
        "REVOKE SELECT (xmin, reason, sent_at) ON rejected_messages FROM maskline_eraser",
        "REVOKE SELECT (stream, copy) ON lake_publications FROM maskline_eraser",
        where_owners("REVOKE SELECT (xmin, key_id, written_in) ON user_logins FROM maskline_eraser;"),
    )
