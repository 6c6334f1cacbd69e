"""``migrate``: up, down, and as SQL for a DBA."""

from __future__ import annotations

import pytest

from maskline.pipeline.cli import main
from tests.conftest import run_sql


def test_it_says_from_where_to_where_it_went(unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [[], [], ["--to=0003"], ["--to=base"]]

    exit_codes = [main(["migrate", f"--postgres={unmigrated_dsn}", *options]) for options in commands]

    assert exit_codes == [0, 0, 0, 0]
    assert [line for line in capsys.readouterr().out.splitlines() if "schema" in line] == [
        "Migrated the schema from revision base to 0011.",
        "The schema is at revision 0011 already.",
        "Migrated the schema from revision 0011 to 0003.",
        "Migrated the schema from revision 0003 to base.",
    ]


def test_a_step_back_that_would_lose_a_version_lists_it(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_sql(dsn, "INSERT INTO user_logins (app_version) VALUES ('2.3.0'), ('7'), ('2.3.0')")

    exit_code = main(["migrate", f"--postgres={dsn}", "--to=0001"])

    assert exit_code == 2
    assert "would lose the version of 2 rows of user_logins: '2.3.0' (2 rows)" in capsys.readouterr().err


def test_the_sql_is_printed_and_not_run(unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["migrate", "--sql"])
    from_nothing = capsys.readouterr().out
    main(["migrate", f"--postgres={unmigrated_dsn}"])
    capsys.readouterr()
    main(["migrate", "--sql", f"--postgres={unmigrated_dsn}", "--to=0005"])
    one_step_back = capsys.readouterr().out

    assert "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS user_logins_message_id" in from_nothing
    assert "REVOKE" in one_step_back
    assert "CREATE TABLE IF NOT EXISTS rejected" not in one_step_back
    assert main(["migrate", f"--postgres={unmigrated_dsn}"]) == 0
    assert "already" in capsys.readouterr().out


def test_an_unknown_revision_is_one_line(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["migrate", f"--postgres={dsn}", "--to=0042"])

    assert exit_code == 2
    assert "revision '0042' is not known; known: base, 0001" in capsys.readouterr().err
