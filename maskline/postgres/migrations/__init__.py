"""Alembic's environment and revisions; `maskline.postgres.schema` runs them."""
