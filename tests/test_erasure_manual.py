"""docs/erasure.md holds: its commands run as they stand, and what it says of files is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.documents import blocks, run_commands
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT
from tests.maskline.lake.copies import files_that_know
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, run, value_of

MANUAL = (PROJECT / "docs" / "erasure.md").read_text()
PERSON = "a6a1d27f-forget-me"


@pytest.mark.slow
def test_its_commands_run_as_they_stand(
    tmp_path: Path, dsn: str, keyset: Keyset, keyset_uri: str, database: Connection
) -> None:
    write_masked(dsn, keyset, [login(1, user_id=PERSON), login(2)])
    assert Path(keyset_uri.removeprefix("file:")).parent == tmp_path
    commands = blocks(MANUAL, "bash")

    results = [run_commands(each, tmp_path, {"MASKLINE_POSTGRES": dsn}) for each in commands]

    assert [result.returncode for result in results] == [0, 0], results
    assert "user_logins: 1 rows would be removed." in results[0].stdout
    assert "user_logins: 1 rows removed." in results[0].stdout
    assert "user_logins: 0 rows sent before " in results[1].stdout
    assert value_of(database, "SELECT count(*) FROM user_logins") == 1


def test_deleted_rows_and_statistics_stay_in_files_of_the_database_until_its_statements_end_that(
    dsn: str, keyset: Keyset, keyset_uri: str, database: Connection
) -> None:
    write_masked(dsn, keyset, [*(login(1, user_id=PERSON) for _ in range(20)), login(2), login(3)])
    run(database, "ANALYZE user_logins")
    run(database, "CHECKPOINT")
    files = files_of(database)
    erase = ["erase", f"--postgres={dsn}", f"--keyset={keyset_uri}", f"--user_id={PERSON}", "--reason=request 12"]
    (statements,) = blocks(MANUAL, "sql")

    before = files_that_know(files, PERSON)
    is_in_statistics = value_of(
        database, "SELECT bool_or(strpos(most_common_vals::text, %s) > 0) FROM pg_stats", [PERSON]
    )
    assert main([*erase, "--no_lake"]) == 0
    run(database, "CHECKPOINT")
    erased = files_that_know(files, PERSON)
    for statement in statements.strip().splitlines():
        run(database, statement)
    cleaned = files_that_know(files, PERSON)

    assert is_in_statistics
    assert len(before) >= 2, "the table and the statistics"
    assert len(erased) >= 2, "deleted rows stay in their pages"
    assert cleaned == []


def test_every_action_of_retain_that_it_names_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["retain", "--help"])

    offered = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))
    assert set(re.findall(r"maskline retain (\w+)", MANUAL)) == offered


def files_of(database: Connection) -> Path:
    """Return the directory of the files of a database."""
    ((directory, oid),) = rows_of(
        database,
        "SELECT current_setting('data_directory'), oid::text FROM pg_database WHERE datname = current_database()",
    )
    return Path(str(directory)) / "base" / str(oid)
