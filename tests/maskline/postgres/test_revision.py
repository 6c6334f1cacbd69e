"""Which revision a database has, read without Alembic."""

from __future__ import annotations

from maskline.postgres.revision import NEWEST_REVISION, database_revision
from tests.maskline.postgres.records import connected, run


def test_a_migrated_database_has_the_revision_that_the_job_needs(dsn: str) -> None:
    with connected(dsn) as connection:
        assert database_revision(connection) == NEWEST_REVISION


def test_a_database_that_was_never_migrated_has_none(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        assert database_revision(connection) is None


def test_a_database_that_was_migrated_all_the_way_back_has_none(dsn: str) -> None:
    with connected(dsn) as connection:
        run(connection, "DELETE FROM maskline_schema_version")

        assert database_revision(connection) is None
