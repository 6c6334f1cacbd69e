"""Keys that prove themselves: what each makes of one text, so that another key by the same id is found out.

A job enters the proofs of its keys before it takes the first message; see `maskline.postgres.key_proofs`. The keyset of
hashes has no key in ``maskline_keys``, so its proof stands at each column that it hashed.

Revision ID: 0017
Revises: 0016
"""

from maskline.postgres.migrations import steps
from maskline.postgres.migrations.versions.r0010_ledger import in_this_schema

revision = "0017"
down_revision = "0016"

PROVE_KEYS = """
CREATE OR REPLACE FUNCTION maskline_prove_keys(primary_key bigint, proven bigint[], proofs bytea[]) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    INSERT INTO maskline_keys (key_id) VALUES (primary_key) ON CONFLICT DO NOTHING;
    UPDATE maskline_keys AS known SET proof = given.proof FROM unnest(proven, proofs) AS given (key_id, proof)
    WHERE known.key_id = given.key_id AND known.proof IS NULL;
$$
"""

PROVE_HASHES = """
CREATE OR REPLACE FUNCTION maskline_prove_hashes(
    used_stream text, used_table text, used_columns name[], given_proof bytea
) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
    UPDATE maskline_columns SET proof = given_proof
    WHERE stream = used_stream AND table_name = used_table AND column_name = ANY (used_columns) AND proof IS NULL;
$$
"""

_FUNCTIONS = "maskline_prove_keys(bigint, bigint[], bytea[]), maskline_prove_hashes(text, text, name[], bytea)"


def upgrade() -> None:
    """Add the proofs, and what enters them."""
    steps.short(
        "0017 keys prove themselves",
        "ALTER TABLE maskline_keys ADD COLUMN IF NOT EXISTS proof bytea",
        "ALTER TABLE maskline_columns ADD COLUMN IF NOT EXISTS proof bytea",
        in_this_schema(PROVE_KEYS),
        in_this_schema(PROVE_HASHES),
        f"REVOKE ALL ON FUNCTION {_FUNCTIONS} FROM PUBLIC",
        f"GRANT EXECUTE ON FUNCTION {_FUNCTIONS} TO maskline_writer",
    )


def downgrade() -> None:
    """Drop all of it: a job enters its proofs anew."""
    steps.short(
        "0017 gone",
        f"DROP FUNCTION IF EXISTS {_FUNCTIONS}",
        "ALTER TABLE maskline_keys DROP COLUMN IF EXISTS proof",
        "ALTER TABLE maskline_columns DROP COLUMN IF EXISTS proof",
    )
