"""``erase`` forgets a person everywhere, says so without saying whom, and can be repeated."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from maskline.postgres.ddl import create_table
from maskline.streams.definition import parse_stream
from tests.e2e.conftest import login
from tests.maskline.keysets import opened
from tests.maskline.lake.copies import files_that_know, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, run

PERSON = "a6a1d27f-forget-me"
OTHERS_REJECTIONS = [
    f'{{"user_id": "another", "friend": "{PERSON}"}}',
    f'{{"user_id": "{PERSON}-not-them"}}',
    f"not JSON: {PERSON}x",
]
THEIR_REJECTIONS = [
    f'{{"user_id": "{PERSON}"}}',
    f'{{"login": [{{"user_id": "{PERSON}"}}]}}',
    f'{{"Type": "Notification", "Message": "{{\\"userId\\": \\"{PERSON}\\"}}"}}',
    f'{{"user_id": "{PERSON}", "ip": "203.0.1',
]
UNDECIDED_REJECTIONS = [
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


def say(monkeypatch: pytest.MonkeyPatch, *persons: str) -> None:
    """Give persons on standard input."""
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{person}\n" for person in persons)))


def bodies_of(database: Connection, keyset: Keyset) -> list[str]:
    """Return the bodies of all rejections."""
    found = rows_of(database, "SELECT body, stream, message_id::text FROM rejected_messages")
    return sorted(Masker(keyset).unseal_body(bytes(body), *place) for body, *place in found)


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
    assert bodies_of(database, keyset) == sorted(OTHERS_REJECTIONS)
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

    said = capsys.readouterr().out
    assert "1 rejections may be theirs, and nobody can tell." in said
    assert f"  {message_id}  " in said
    assert "not_json; cannot be decrypted with this keyset\n" in said


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

    assert erase(options[:3]) == 1

    said = capsys.readouterr().out
    assert (
        "The clear copy of user_logins was not named and still has them: erase again, with --lake_clear URI.\n" in said
    )
    assert "The opaque copy of user_logins" not in said


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
    assert erase(options[:2], "--no_lake") == 1

    assert erase(options) == 0

    assert "user_logins: 0 rows removed." in capsys.readouterr().out
    assert PERSON not in rows_in(tmp_path / "opaque", "user_id") + rows_in(tmp_path / "clear", "user_id")


def test_a_dry_run_says_what_would_leave_which_place_and_changes_nothing(
    dsn: str,
    keyset: Keyset,
    database: Connection,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_masked(dsn, keyset, [login(1, user_id=PERSON), login(2), login(3, user_id="carol"), *THEIR_REJECTIONS])
    main(["lake", "publish", *options])
    say(monkeypatch, PERSON, "carol")

    assert main(["erase", *options, "--by=user_id", "--dry_run"]) == 0

    said = capsys.readouterr().out
    assert "user_logins: 2 rows would be removed.\nrejected_messages: 4 would be removed.\n" in said
    assert "opaque: 2 rows would be removed from " in said
    assert "clear: 2 rows would be removed from " in said
    assert rows_of(database, "SELECT count(*) FROM user_logins") == [(3,)]
    assert rows_of(database, "SELECT count(*) FROM rejected_messages") == [(4,)]
    assert rows_of(database, "SELECT count(*) FROM pii_access_log WHERE action LIKE 'erase%'") == [(0,)]
    assert rows_of(database, "SELECT count(*) FROM maskline_suppressions") == [(0,)]


def test_what_nobody_can_judge_is_listed_and_left_until_somebody_decides(
    dsn: str,
    keyset: Keyset,
    database: Connection,
    options: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second, *_ = write_masked(dsn, keyset, [*UNDECIDED_REJECTIONS, *OTHERS_REJECTIONS, *THEIR_REJECTIONS])
    without_lake = [*options[:2], "--no_lake"]

    assert erase(without_lake, "--review") == 1
    reviewed = capsys.readouterr().out
    assert erase(without_lake) == 1
    undecided = bodies_of(database, keyset)
    assert erase(without_lake, f"--message_id={first}", f"--not_theirs={second}") == 0

    assert reviewed.startswith("2 rejections may be theirs, and nobody can tell.")
    assert {line.split()[0] for line in reviewed.splitlines()[1:]} == {first, second}
    assert PERSON not in reviewed
    assert undecided == sorted([*UNDECIDED_REJECTIONS, *OTHERS_REJECTIONS])
    assert bodies_of(database, keyset) == sorted([UNDECIDED_REJECTIONS[1], *OTHERS_REJECTIONS])


def test_nobody_elses_rejection_leaves_on_a_likeness(
    dsn: str, keyset: Keyset, database: Connection, options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    others = ["user=eve ip=198.51.100.1 v=2", '{"user_id": "bob", "app_version": "1.0", "ip": "198.51.10']
    write_masked(dsn, keyset, [*others, '{"user_id": 1}', "user_id=1"])
    say(monkeypatch, "1")

    assert main(["erase", *options[:2], "--no_lake", "--by=user_id", "--reason=request 13"]) == 0

    assert bodies_of(database, keyset) == sorted(others)


def test_a_table_of_a_stream_that_was_not_given_is_named(
    dsn: str, keyset: Keyset, database: Connection, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, "CREATE TABLE visits (visitor text, message_id uuid, sent_at timestamptz, key_id bigint)")
    write_masked(dsn, keyset, [login(1, user_id=PERSON)])

    assert erase(options[:2], "--no_lake") == 1

    said = capsys.readouterr().out
    assert "public.visits: not looked through, for no stream given writes it; give its --stream, too.\n" in said
    assert "user_logins: 1 rows removed.\n" in said


def test_the_person_is_in_no_statement_that_the_server_logs(
    dsn: str,
    keyset: Keyset,
    database: Connection,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = rows_of(database, "SELECT current_database()")[0][0]
    run(database, f"ALTER DATABASE {name} SET log_statement = 'all'")
    run(database, f"ALTER DATABASE {name} SET log_min_duration_statement = 0")
    run(database, f"ALTER DATABASE {name} SET log_parameter_max_length = -1")
    write_masked(dsn, keyset, [f'{{"user_id": "{PERSON}"}}'])
    before = server_log(database)
    say(monkeypatch, PERSON)

    assert main(["erase", *options[:2], "--no_lake", "--by=user_id", "--reason=request 14"]) == 0

    logged = server_log(database)[len(before) :]
    assert "COPY pg_temp.maskline_erased FROM STDIN" in logged, "statements are logged"
    assert PERSON not in logged


def server_log(database: Connection) -> str:
    """Return what the server has logged."""
    ((directory,),) = rows_of(database, "SHOW data_directory")
    return (Path(directory) / "log").read_text(errors="replace")


def test_nobody_on_standard_input_is_refused(
    database: Connection, options: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    say(monkeypatch)

    assert main(["erase", *options[:2], "--no_lake", "--by=user_id", "--reason=request 15"]) == 2

    assert "by: standard input names nobody" in capsys.readouterr().err
    assert rows_of(database, "SELECT count(*) FROM pii_access_log") == [(0,)]


PEOPLE = """
name = "people"
table = "people"
[subject]
columns = ["masked_id"]
[columns.masked_id]
field = "id"
type = "text"
mask = "deterministic"
"""


@pytest.mark.parametrize(
    ("change", "exit_code", "says"),
    [
        ("", 0, "people: 1 rows removed."),
        (
            'domain = "another"',
            2,
            "the definition is not the one that rows were masked by: column people.masked_id has",
        ),
        ("pad = 16", 2, 'column people.masked_id was masked by "deterministic", and the definition says'),
        (
            '[domains."people.masked_id"]\nnormalize = "caseless"',
            1,
            'the definition says "caseless": the tokens of equal values before and after may differ, and rows of '
            "before are not found by it.",
        ),
    ],
    ids=["the same", "another domain", "another padding", "another normal form"],
)
def test_nobody_is_called_forgotten_by_another_definition_than_rows_were_masked_by(
    dsn: str,
    keyset: Keyset,
    database: Connection,
    keyset_uri: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: str,
    exit_code: int,
    says: str,
) -> None:
    run(database, "DROP TABLE user_logins")
    run(database, create_table(parse_stream(PEOPLE, origin="test")))
    write_masked(dsn, keyset, ['{"id": "Carol"}'], parse_stream(PEOPLE, origin="test"))
    definition = tmp_path / "people.toml"
    definition.write_text(PEOPLE + change)
    say(monkeypatch, "Carol")
    places = [f"--postgres={dsn}", f"--keyset={keyset_uri}", "--no_lake", f"--stream={definition}"]

    ended = main(["erase", *places, "--by=masked_id", "--reason=request 12"])

    said = capsys.readouterr()
    assert ended == exit_code
    assert says in said.out + said.err
