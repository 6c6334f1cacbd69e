"""What is older than it may be goes, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.maskline.postgres.records import connected, rows_of, run, value_of

VISITS = """
name = "visits"
table = "visits"
[subject]
columns = []
[columns.visit]
type = "bigint"
"""
REASON = "--reason=ticket 7"
PARTITIONED = """
CREATE TABLE visits (
    visit bigint, create_date date, message_id uuid, sent_at timestamptz, processed_at timestamptz, key_id bigint
) PARTITION BY RANGE (create_date);
CREATE TABLE visits_old PARTITION OF visits FOR VALUES FROM ('2020-01-01') TO ('2020-02-01');
CREATE TABLE "Visits between" PARTITION OF visits FOR VALUES FROM ('2020-02-01') TO ('2099-01-01');
CREATE TABLE visits_rest PARTITION OF visits DEFAULT;
INSERT INTO visits (visit, create_date) VALUES
    (1, '2020-01-31'), (2, '2020-02-01'), (3, current_date), (4, '2019-12-31'), (5, NULL)
"""
ENTRY = (
    "INSERT INTO pii_access_log (accessed_at, role_name, action, stream, column_name, row_count, reason)"
    " VALUES (now(), session_user, 'unmask', 'user_logins', 'masked_ip', 1, 'ticket 7')"
)


def retain(dsn: str, *options: str) -> int:
    """Run ``retain``."""
    return main(["retain", *options, f"--postgres={dsn}"])


def test_old_partitions_are_dropped_and_other_old_rows_deleted(
    dsn: str, database: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, PARTITIONED)
    stream = tmp_path / "visits.toml"
    stream.write_text(VISITS)
    rows = ("rows", f"--stream={stream}", "--older_than=365d")

    exit_codes = [retain(dsn, *rows, "--dry_run")]
    before = value_of(database, "SELECT count(*) FROM visits")
    exit_codes += [retain(dsn, *rows, REASON), retain(dsn, *rows, REASON)]

    said = capsys.readouterr().out.splitlines()
    assert exit_codes == [0, 0, 0]
    assert before == 5
    assert "visits: 3 rows sent before " in said[0]
    assert said[0].endswith(" would go, 1 partitions with all that is in them.")
    assert said[1].endswith(" deleted, 1 partitions with all that is in them.")
    assert rows_of(database, "SELECT visit FROM visits ORDER BY visit") == [(3,), (5,)]
    assert value_of(database, "SELECT to_regclass('visits_old')") is None
    assert rows_of(database, "SELECT action, row_count, reason FROM pii_access_log") == [("retain rows", 3, "ticket 7")]


def test_rows_go_in_batches(dsn: str, database: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("maskline.postgres.retention.ROWS_PER_BATCH", 10)
    run(database, "INSERT INTO user_logins (create_date) SELECT '2020-01-01' FROM generate_series(1, 25)")
    run(database, "INSERT INTO user_logins (create_date) VALUES (current_date)")

    assert retain(dsn, "rows", "--older_than=365d", REASON) == 0

    assert value_of(database, "SELECT count(*) FROM user_logins") == 1


def test_only_rejections_that_were_sent_back_go(
    dsn: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(
        database,
        "INSERT INTO rejected_messages"
        " (message_id, stream, reason, detail, sent_at, receive_count, key_id, body, rejected_at, requeued_at)"
        " SELECT gen_random_uuid(), 'user_logins', 'not_json', 'd', now(), 1, 1, '', '2020-01-01', requeued_at"
        " FROM (VALUES (timestamptz '2020-01-02'), (now()), (NULL)) AS found (requeued_at)",
    )

    assert retain(dsn, "rejections", "--older_than=30d", "--dry_run") == 0
    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 3
    assert retain(dsn, "rejections", "--older_than=30d", REASON) == 0

    assert value_of(database, "SELECT count(*) FROM rejected_messages") == 2
    assert rows_of(database, "SELECT action, row_count FROM pii_access_log") == [("retain rejections", 1)]
    assert capsys.readouterr().out.splitlines() == [
        "rejected_messages: 1 sent back before would go.",
        "rejected_messages: 1 sent back before deleted.",
    ]


def test_old_entries_of_the_log_go_by_its_owner_and_one_stays_that_says_so(dsn: str, database: Connection) -> None:
    run(database, ENTRY)
    run(database, "ALTER TABLE pii_access_log DISABLE TRIGGER append_only")
    run(database, "UPDATE pii_access_log SET accessed_at = '2020-01-01'")
    run(database, "ALTER TABLE pii_access_log ENABLE TRIGGER append_only")
    run(database, ENTRY)

    assert retain(dsn, "log", "--older_than=365d", "--dry_run") == 0
    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 2
    assert retain(dsn, "log", "--older_than=365d", REASON) == 0

    assert rows_of(database, "SELECT action, row_count FROM pii_access_log ORDER BY id") == [
        ("unmask", 1),
        ("retain log", 1),
    ]
    assert value_of(database, "SELECT condition FROM pii_access_log WHERE action = 'retain log'").startswith(
        "accessed_at < '"
    )
    assert retain(dsn, "log", "--older_than=1h", REASON) == 0, "nothing is that old"
    with pytest.raises(Exception, match="append-only"):
        run(database, "DELETE FROM pii_access_log")


def test_nobody_but_the_owner_deletes_entries_of_the_log(
    dsn: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    with connected(dsn) as owner:
        run(owner, f"CREATE ROLE some_auditor LOGIN IN ROLE maskline_auditor, maskline_eraser; {ENTRY}")
        try:
            assert retain(dsn.replace("postgres@", "some_auditor@"), "log", "--older_than=0h", REASON) == 2
        finally:
            run(owner, "DROP ROLE some_auditor")

    assert "must be owner" in capsys.readouterr().err
    assert value_of(database, "SELECT count(*) FROM pii_access_log") == 1


def test_a_reason_is_asked_for_and_an_age_with_its_unit(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert retain(dsn, "rows", "--older_than=365d") == 2
    assert retain(dsn, "log", "--older_than=365", REASON) == 2

    refusals = capsys.readouterr().err.splitlines()
    assert "reason: " in refusals[0]
    assert "older_than is '365'; give a number with its unit: 90d, 36h or 4w" in refusals[1]
