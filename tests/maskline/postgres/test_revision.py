"""Which revision a database has, read without Alembic."""

from __future__ import annotations

import pytest

from maskline.postgres.revision import NEWEST_REVISION, database_revision, revision_problems
from tests.maskline.postgres.records import connected, run


def test_a_migrated_database_has_the_revision_that_the_job_needs(dsn: str) -> None:
    with connected(dsn) as connection:
        assert database_revision(connection) == NEWEST_REVISION


@pytest.mark.parametrize("revision", ["0010", "0011", "0012", "0042"])
def test_the_job_runs_on_every_revision_that_has_the_ledger_and_on_newer_ones(revision: str) -> None:
    assert revision_problems(revision) == []


@pytest.mark.parametrize(("revision", "named"), [(None, "none"), ("0001", "0001"), ("0009", "0009")])
def test_an_older_revision_is_named_with_what_to_do(revision: str | None, named: str) -> None:
    assert revision_problems(revision) == [f"the schema is at revision {named}, the job needs 0010 or a later one"]


def test_a_database_that_was_never_migrated_has_none(unmigrated_dsn: str) -> None:
    with connected(unmigrated_dsn) as connection:
        assert database_revision(connection) is None


def test_a_database_that_was_migrated_all_the_way_back_has_none(dsn: str) -> None:
    with connected(dsn) as connection:
        run(connection, "DELETE FROM maskline_schema_version")

        assert database_revision(connection) is None
