"""``migrate``: up, down, and as SQL for a DBA."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from maskline.postgres.revision import NEWEST_REVISION
from tests.conftest import run_sql
from tests.maskline.postgres.records import connected, message_id, rows_of, run


def test_it_says_from_where_to_where_it_went(unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    commands = [[], [], ["--revision=0003"], ["--to=base"]]

    exit_codes = [main(["migrate", f"--postgres={unmigrated_dsn}", *options]) for options in commands]

    assert exit_codes == [0, 0, 0, 0]
    assert [line for line in capsys.readouterr().out.splitlines() if "schema" in line] == [
        f"Migrated the schema from revision base to {NEWEST_REVISION}.",
        f"The schema is at revision {NEWEST_REVISION} already.",
        f"Migrated the schema from revision {NEWEST_REVISION} to 0003.",
        "Migrated the schema from revision 0003 to base.",
    ]


def test_a_step_back_that_would_lose_a_version_lists_it(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_sql(dsn, "INSERT INTO user_logins (app_version) VALUES ('2.3.0'), ('7'), ('2.3.0')")

    exit_code = main(["migrate", f"--postgres={dsn}", "--revision=0001"])

    assert exit_code == 2
    assert "would lose the version of 2 rows of user_logins: '2.3.0' (2 rows)" in capsys.readouterr().err


def test_the_sql_is_printed_and_not_run(unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["migrate", "--sql"])
    from_nothing = capsys.readouterr().out
    main(["migrate", f"--postgres={unmigrated_dsn}"])
    capsys.readouterr()
    main(["migrate", "--sql", f"--postgres={unmigrated_dsn}", "--revision=0005"])
    one_step_back = capsys.readouterr().out

    assert "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS user_logins_message_id" in from_nothing
    assert "REVOKE" in one_step_back
    assert "CREATE TABLE IF NOT EXISTS rejected" not in one_step_back
    assert main(["migrate", f"--postgres={unmigrated_dsn}"]) == 0
    assert "already" in capsys.readouterr().out


def test_an_unknown_revision_is_one_line(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    exit_code = main(["migrate", f"--postgres={dsn}", "--revision=0042"])

    assert exit_code == 2
    assert "revision '0042' is not known; known: base, 0001" in capsys.readouterr().err


def test_a_database_in_use_is_led_on_in_a_second_run_and_told_so(
    unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["migrate", f"--postgres={unmigrated_dsn}", "--to=0009"])
    run_sql(unmigrated_dsn, f"INSERT INTO user_logins (message_id, sent_at) VALUES ('{message_id(1)}', now())")
    capsys.readouterr()

    first = main(["migrate", f"--postgres={unmigrated_dsn}"]), capsys.readouterr().out.splitlines()
    second = main(["migrate", f"--postgres={unmigrated_dsn}"]), capsys.readouterr().out.splitlines()

    assert (first[0], second[0]) == (0, 0)
    assert first[1][0].startswith("From revision 0009 to 0010 in ")
    assert first[1][1] == "  user_logins: rows that nobody counted, 0.0 MB"
    assert first[1][2:] == [
        "Migrated the schema from revision 0009 to 0010.",
        "Old and new jobs can run side by side now. When no older job runs any more, run migrate again.",
    ]
    assert second[1][-1] == f"Migrated the schema from revision 0010 to {NEWEST_REVISION}."


def test_another_user_logins_is_left_alone_in_one_line(unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_sql(unmigrated_dsn, "ALTER TABLE user_logins DROP COLUMN masked_ip")

    exit_code = main(["migrate", f"--postgres={unmigrated_dsn}"])

    assert exit_code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "The table user_logins is not the one of the stream user_logins, and is left as it is."


def test_a_streams_table_is_made_where_it_is_asked_for(unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    run_sql(unmigrated_dsn, "DROP TABLE user_logins")
    command = ["migrate", f"--postgres={unmigrated_dsn}", "--stream=user_logins", "--stream=tests/e2e/orders.toml"]

    exit_codes = [main(command), main(command)]

    assert exit_codes == [0, 0]
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("Made")] == [
        "Made table user_logins.",
        "Made table orders.",
    ]


def test_the_printed_sql_adds_the_checks_that_a_table_lacks_and_does_what_migrate_does(
    dsn: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    checks = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'c' ORDER BY 1"
    stream = ["--stream=tests/e2e/orders.toml"]
    main(["ddl", "tests/e2e/orders.toml"])
    ddl = capsys.readouterr().out
    run_sql(dsn, f"{ddl} ALTER TABLE orders DROP CONSTRAINT masked_email_is_masked")

    main(["migrate", "--sql", f"--postgres={dsn}", *stream])
    printed = capsys.readouterr().out
    with connected(dsn, autocommit=False) as trial:
        run(trial, without_psql(printed))
        by_hand = rows_of(trial, checks)
        trial.rollback()
    main(["migrate", f"--postgres={dsn}", *stream])
    by_migrate = rows_of(database, checks)
    capsys.readouterr()
    main(["migrate", "--sql", f"--postgres={dsn}", *stream])

    assert printed.splitlines()[-1].startswith('ALTER TABLE "orders" ADD CONSTRAINT "masked_email_is_masked" CHECK (')
    assert printed.splitlines()[-1].endswith(" NOT VALID;")
    assert "CREATE TABLE" not in printed
    assert "lock_timeout" in printed
    assert by_hand == by_migrate
    assert capsys.readouterr().out == "", "nothing is left to do"


def test_a_table_that_is_masked_otherwise_gets_no_checks_and_it_is_said(
    dsn: str, database: Connection, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    orders = Path("tests/e2e/orders.toml").read_text()
    (tmp_path / "other.toml").write_text(orders.replace("pii = true", 'pii = true\ndomain = "email"'))
    main(["migrate", f"--postgres={dsn}", "--stream=tests/e2e/orders.toml"])
    run(database, "ALTER TABLE orders DROP CONSTRAINT masked_email_is_masked")
    caplog.clear()

    exit_code = main(["migrate", f"--postgres={dsn}", f"--stream={tmp_path / 'other.toml'}"])

    assert exit_code == 0
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning.startswith("table orders got no checks of its tokens: column orders.masked_email ")
    assert rows_of(database, "SELECT FROM pg_constraint WHERE conname = 'masked_email_is_masked'") == []


def test_the_printed_sql_makes_a_table_where_there_is_none(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["ddl", "tests/e2e/orders.toml"])
    ddl = capsys.readouterr().out

    main(["migrate", "--sql", f"--postgres={dsn}", "--stream=tests/e2e/orders.toml"])

    assert capsys.readouterr().out.endswith(ddl)


def without_psql(text: str) -> str:
    """Return SQL without what only psql knows."""
    return "\n".join(line for line in text.splitlines() if not line.startswith("\\"))


def test_ddl_before_migrate_makes_the_roles_and_migrate_goes_on(
    unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["ddl", "tests/e2e/orders.toml"])

    run_sql(unmigrated_dsn, capsys.readouterr().out)

    assert main(["migrate", f"--postgres={unmigrated_dsn}"]) == 0
    with connected(unmigrated_dsn, role="maskline_writer") as writer:
        run(writer, "SELECT message_id FROM orders")
