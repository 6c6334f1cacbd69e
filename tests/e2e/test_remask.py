"""``remask``: killed half-way and run again, it leaves one key, every value recoverable, and equal values equal."""

from __future__ import annotations

import json
import signal
from collections import Counter
from pathlib import Path

import pytest

from maskline.keys import Keyset, StoredKeyset, keyset_provider, open_keyset
from maskline.keys.keyset_editor import KeysetEditor
from maskline.keys.keyset_store import change_keyset
from maskline.pipeline.cli import main
from maskline.pipeline.local.samples import Samples
from maskline.postgres.connection import Connection
from tests.awaiting import await_until
from tests.e2e.job_process import JobProcess
from tests.maskline.logins import login
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import connected, rows_of, run, value_of, waiting_for_a_lock
from tests.maskline.stored_tokens import stored_values

HOLD_ROW = "SELECT FROM user_logins WHERE ctid = (SELECT ctid FROM user_logins OFFSET %s LIMIT 1) FOR UPDATE"
COUNTS = "SELECT key_id, count(*) FROM user_logins GROUP BY key_id ORDER BY count(*)"


@pytest.fixture
def rotated(keyset_uri: str) -> Keyset:
    """The keyset with a new primary, in the place of the one that `keyset_uri` names."""

    def rotate(editor: KeysetEditor) -> None:
        editor.promote(editor.add())

    change_keyset(keyset_provider(keyset_uri), rotate)
    return open_keyset(keyset_provider(keyset_uri).fetch())


def remask(dsn: str, keyset_uri: str) -> int:
    return main(["remask", f"--postgres={dsn}", f"--keyset={keyset_uri}"])


@pytest.mark.slow
@pytest.mark.parametrize("rows_a_key", [3_000, 10_000])
def test_killed_half_way_and_run_again_it_leaves_one_key_and_every_value(
    dsn: str, database: Connection, keyset: Keyset, keyset_uri: str, rotated: Keyset, rows_a_key: int
) -> None:
    bodies = list(Samples().bodies(0, rows_a_key))
    write_masked(dsn, keyset, bodies)
    write_masked(dsn, rotated, bodies)
    with connected(dsn, autocommit=False) as blocker:
        # A row in the middle of the older ones that somebody holds is as far as the first run comes.
        run(blocker, HOLD_ROW, [rows_a_key // 2])
        first = JobProcess(["remask", f"--postgres={dsn}", f"--keyset={keyset_uri}"])
        await_until(lambda: _waits_for_the_lock(database), "the first run has come to the row that is held")
        first.send_signal(signal.SIGKILL)
        first.wait()
    half_way = dict(rows_of(database, COUNTS))

    exit_code = remask(dsn, keyset_uri)

    logins = sum('"ip"' in body for body in bodies)
    assert 0 < half_way[keyset.primary_key_id] < logins < half_way[rotated.primary_key_id]
    assert exit_code == 0
    assert rows_of(database, COUNTS) == [(rotated.primary_key_id, 2 * logins)]
    _check_values(dsn, keyset_uri, database, bodies)


def _waits_for_the_lock(database: Connection) -> bool:
    return bool(
        value_of(
            database,
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'SELECT target.%%'",
        )
    )


def _check_values(dsn: str, keyset_uri: str, database: Connection, bodies: list[str]) -> None:
    stored = StoredKeyset(Path(keyset_uri.removeprefix("file:")).read_bytes(), keyset_uri)
    values = stored_values(dsn, stored)
    addresses = Counter(value.decode() for value in values["user_logins.masked_ip"])
    assert addresses == Counter(_addresses(bodies) * 2)
    # Equality is whole: each address has one token, as often as the address occurs.
    tokens = rows_of(database, "SELECT masked_ip, count(*) FROM user_logins GROUP BY 1")
    assert sorted(count for _, count in tokens) == sorted(addresses.values())
    assert (
        sorted(values["rejected_messages.body"]) == sorted(body.encode() for body in bodies if '"ip"' not in body) * 2
    )


def _addresses(bodies: list[str]) -> list[str]:
    return [json.loads(body)["ip"] for body in bodies if '"ip"' in body]


def test_each_run_is_on_record_before_it_begins_and_an_idle_one_is_not(
    dsn: str, database: Connection, keyset: Keyset, keyset_uri: str, rotated: Keyset
) -> None:
    write_masked(dsn, keyset, [login(), login(), "not JSON"])

    assert remask(dsn, keyset_uri) == 0
    assert remask(dsn, keyset_uri) == 0

    reason = f"rotation to key {rotated.primary_key_id}"
    assert rows_of(
        database, "SELECT action, stream, column_name, row_count, reason FROM pii_access_log ORDER BY id"
    ) == [
        ("remask", "user_logins", "masked_ip", 2, reason),
        ("remask", "user_logins", "masked_device_id", 2, reason),
        ("remask", "user_logins", "body", 1, reason),
    ]


def test_what_cannot_be_re_encrypted_is_named_and_the_exit_code_says_so(
    dsn: str,
    database: Connection,
    keyset: Keyset,
    keyset_uri: str,
    rotated: Keyset,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (message_id,) = write_masked(dsn, keyset, [login()])
    run(database, "UPDATE user_logins SET masked_ip = 'AAAA', key_id = key_id")
    run(database, "INSERT INTO user_logins (user_id, key_id) VALUES ('another key', 5), ('older', NULL)")

    exit_code = remask(dsn, keyset_uri)

    assert exit_code == 1
    assert capsys.readouterr().out.splitlines() == [
        f"user_logins: 0 rows brought under key {rotated.primary_key_id}.",
        f"  row {message_id} stays as it is: masked_ip is not a whole token; was it cut off or altered?",
        "  1 rows are still under key 5: this keyset does not hold it",
        f"  1 rows are still under key {keyset.primary_key_id}: they could not be re-encrypted, or a job still masks "
        "under it; restart jobs, and run this again",
        "  1 rows name no key and stay as they are: they are older than the job",
        f"rejected_messages: 0 rows brought under key {rotated.primary_key_id}.",
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_first_signal_ends_it_after_the_transaction_under_way(
    dsn: str, database: Connection, keyset: Keyset, keyset_uri: str, rotated: Keyset, number: signal.Signals
) -> None:
    write_masked(dsn, keyset, [login(user_id=f"{number}") for number in range(5000)])
    with connected(dsn, autocommit=False) as blocker:
        run(blocker, HOLD_ROW, [3000])
        process = JobProcess(["remask", f"--postgres={dsn}", f"--keyset={keyset_uri}"])
        await_until(lambda: _waits_for_the_lock(database), "the run has come to the row that is held")
        process.send_signal(number)

    assert process.wait() == 130
    assert process.output.splitlines()[-1] == "Stopped. Run it again to go on."
    counts = dict(rows_of(database, COUNTS))
    assert counts[rotated.primary_key_id] >= 3000
    assert counts[keyset.primary_key_id] > 0


def test_a_second_signal_ends_it_at_once(dsn: str, keyset: Keyset, keyset_uri: str, database: Connection) -> None:
    write_masked(dsn, keyset, [login()])
    with connected(dsn, autocommit=False) as blocker:
        run(blocker, "LOCK TABLE user_logins")
        process = JobProcess(["remask", f"--postgres={dsn}", f"--keyset={keyset_uri}"])
        await_until(lambda: waiting_for_a_lock(database), "the run waits for the table")
        await_until(lambda: _ends_by_signals(process), "signals have ended it, though the table is locked still")

        assert process.wait() == 130


def _ends_by_signals(process: JobProcess) -> bool:
    process.send_signal(signal.SIGINT)
    return not process.is_running()


def test_of_many_rows_that_stay_some_are_named_and_all_counted_once(
    dsn: str,
    database: Connection,
    keyset: Keyset,
    keyset_uri: str,
    rotated: Keyset,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_masked(dsn, keyset, [login() for _ in range(30)])
    run(database, "UPDATE user_logins SET masked_ip = 'AAAA' WHERE ctid <> '(0,1)'")

    assert remask(dsn, keyset_uri) == 1

    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("  row ") for line in lines) == 20
    assert "  and 9 more" in lines


@pytest.mark.parametrize("missing", ["user_logins", "rejected_messages"])
def test_a_database_without_the_table_is_refused(
    dsn: str, database: Connection, keyset_uri: str, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    run(database, f"DROP TABLE {missing}")

    assert remask(dsn, keyset_uri) == 2

    assert f"table {missing} is not there, or has no key_id, so no row can be counted" in capsys.readouterr().err
