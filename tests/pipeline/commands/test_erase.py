"""``erase`` forgets a person everywhere, says so without saying whom, and can be repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.e2e.conftest import login
from tests.maskline.keysets import opened
from tests.maskline.lake.copies import files_that_know, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of

PERSON = "a6a1d27f-forget-me"
OTHERS_REJECTIONS = [
    f'{{"user_id": "another", "friend": "{PERSON}"}}',
    f'{{"user_id": "{PERSON}-not-them"}}',
    f"not JSON: {PERSON}x",
]
THEIR_REJECTIONS = [
    f'{{"user_id": "{PERSON}"}}',
    f'{{"login": [{{"user_id": "{PERSON}"}}]}}',
    f'{{"user_id": "{PERSON}", "user_id": "another"}}',
    f"not JSON: user {PERSON}, that is",
]


@pytest.fixture
def options(dsn: str, keyset_uri: str, tmp_path: Path) -> list[str]:
    """The options that name database, keyset and both copies."""
    lake = [f"--lake_opaque={tmp_path / 'opaque'}", f"--lake_clear={tmp_path / 'clear'}"]
    return [f"--postgres={dsn}", f"--keyset={keyset_uri}", *lake]


def erase(options: list[str], *more: str) -> int:
    """Forget the person."""
    return main(["erase", *options, f"--user_id={PERSON}", "--reason=request 12", *more])


def test_a_person_is_forgotten_in_the_table_the_rejections_and_both_copies(
    dsn: str,
    keyset: Keyset,
    database: Connection,
    options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = [login(1, user_id=PERSON, ip="192.0.2.77", device_id="their-device") for _ in range(3)]
    others = [login(2), login(3)]
    write_masked(dsn, keyset, [*theirs, *others, *THEIR_REJECTIONS, *OTHERS_REJECTIONS])
    assert main(["lake", "publish", *options]) == 0

    assert erase(options) == 0

    said = capsys.readouterr().out
    assert "user_logins: 3 rows removed." in said
    assert "rejected_messages: 4 removed." in said
    assert "opaque: 3 rows removed from file://" in said
    assert "clear: 3 rows removed from file://" in said
    masker = Masker(keyset)
    left = rows_of(database, "SELECT body FROM rejected_messages")
    assert sorted(masker.unseal_body(bytes(body)) for (body,) in left) == sorted(OTHERS_REJECTIONS)
    assert rows_of(database, "SELECT count(*) FROM user_logins") == [(2,)]
    marks = [PERSON, "192.0.2.77", "their-device"]
    assert len(files_that_know(tmp_path / "opaque", *marks)) == len(files_that_know(tmp_path / "clear", *marks)) == 1
    assert main(["lake", "vacuum", *options[2:], "--retention_hours=0", "--allow_short_retention"]) == 0
    assert files_that_know(tmp_path / "opaque", *marks) == files_that_know(tmp_path / "clear", *marks) == []
    assert len(rows_in(tmp_path / "clear", "ip")) == len(rows_in(tmp_path / "opaque", "masked_ip")) == 2
    assert main(["lake", "verify", *options]) == 0


def test_the_log_says_that_it_was_done_and_not_whom(
    dsn: str, keyset: Keyset, database: Connection, options: list[str]
) -> None:
    write_masked(dsn, keyset, [login(1, user_id=PERSON)])
    main(["lake", "publish", *options])

    assert erase(options) == 0
    assert erase(options) == 0

    log = rows_of(
        database,
        "SELECT action, column_name, row_count, reason FROM pii_access_log WHERE action ~ 'erase' ORDER BY id",
    )
    reason = f"request 12 (person {Masker(keyset).fingerprint(PERSON)})"
    assert log == [
        ("erase begun", "user_id", 0, reason),
        ("erase from postgres", "user_id", 1, reason),
        ("erase from opaque copy", "user_id", 1, reason),
        ("erase from clear copy", "user_id", 1, reason),
        ("erased", "user_id", 3, reason),
        ("erase begun", "user_id", 0, reason),
        ("erased", "user_id", 0, reason),
    ]
    assert PERSON not in str(log)


def test_a_rejection_that_cannot_be_decrypted_is_named(
    dsn: str, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (message_id,) = write_masked(dsn, opened(7), ["not JSON"])

    assert erase(options[:2], "--no_lake") == 1

    assert f"so nobody knows whose they are:\n  {message_id}" in capsys.readouterr().out


def test_a_reason_that_names_the_person_is_refused(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["erase", *options, f"--user_id={PERSON}", f"--reason={PERSON} asked"]) == 2

    refusal = capsys.readouterr().err
    assert "say why without saying whom" in refusal
    assert PERSON not in refusal


def test_a_copy_that_is_not_there_is_found_out_before_anything_is_removed(
    dsn: str, keyset: Keyset, database: Connection, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_masked(dsn, keyset, [login(1, user_id=PERSON)])

    assert erase(options) == 2

    assert "opaque: there is no Delta table; has anything been published?" in capsys.readouterr().err
    assert rows_of(database, "SELECT count(*) FROM user_logins") == [(1,)]
    assert rows_of(database, "SELECT count(*) FROM pii_access_log") == [(0,)]


def test_a_copy_that_was_not_named_is_mentioned(
    dsn: str, keyset: Keyset, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_masked(dsn, keyset, [login(1, user_id=PERSON)])
    main(["lake", "publish", *options])

    assert erase(options[:3]) == 0

    said = capsys.readouterr().out
    assert "No clear copy was named. If there is one, it still has them: erase again, with --lake_clear URI.\n" in said
    assert "No opaque copy was named" not in said


def test_that_there_is_no_lake_has_to_be_said(
    database: Connection, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert erase(options[:2]) == 2

    assert "give --lake_opaque and --lake_clear, or say --no_lake where there are no copies" in capsys.readouterr().err
    assert rows_of(database, "SELECT count(*) FROM pii_access_log") == [(0,)]


def test_an_erasure_that_died_half_way_is_finished_by_the_next(
    dsn: str, keyset: Keyset, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_masked(dsn, keyset, [login(1, user_id=PERSON), login(2)])
    main(["lake", "publish", *options])
    assert erase(options[:2], "--no_lake") == 0

    assert erase(options) == 0

    assert "user_logins: 0 rows removed." in capsys.readouterr().out
    assert PERSON not in rows_in(tmp_path / "opaque", "user_id") + rows_in(tmp_path / "clear", "user_id")
