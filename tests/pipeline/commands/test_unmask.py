"""``unmask``: values for whoever holds the key, each call on record first, and never a wrong value."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from maskline.keys import Keyset, create_keyset
from maskline.keys.files import FileKeyset
from maskline.masks.deterministic import Masker
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.e2e.conftest import login
from tests.pipeline.commands.conftest import Write


def unmask(dsn: str, keyset_uri: str, *options: str) -> int:
    places = [f"--postgres={dsn}", f"--keyset={keyset_uri}", "--column=masked_ip", "--reason=ticket 4711"]
    return main(["unmask", *places, *options])


def log_entries(database: Connection) -> list[tuple[object, ...]]:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT role_name, action, stream, column_name, row_count, reason, condition FROM pii_access_log"
        )
        return cursor.fetchall()


def test_values_come_as_csv_and_the_call_is_on_record(
    dsn: str, keyset_uri: str, write: Write, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, _ = write([login(1, locale="DE"), login(2, locale="DE", ip='1"2,3\n'), login(3, locale="RU")])

    exit_code = unmask(dsn, keyset_uri, "--where=locale = 'DE' -- only these")

    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert exit_code == 0
    assert {(row["row"], row["ip"]) for row in rows} == {(first, "198.51.0.1"), (second, '1"2,3\n')}
    assert log_entries(database) == [
        ("postgres", "unmask", "user_logins", "masked_ip", 2, "ticket 4711", "locale = 'DE' -- only these")
    ]


def test_tokens_come_from_standard_input(
    dsn: str,
    keyset_uri: str,
    write: Write,
    database: Connection,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write([login(1)])
    with database.cursor() as cursor:
        cursor.execute("SELECT masked_ip, masked_device_id FROM user_logins")
        ((token, token_of_another_column),) = cursor.fetchall()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n{token[:-2]}\n{token_of_another_column}\n{token}"))

    exit_code = unmask(dsn, keyset_uri, "--stdin")

    shown = capsys.readouterr()
    assert exit_code == 1
    assert shown.out.splitlines()[1:] == [f"line 1,{token},198.51.0.1", f"line 4,{token},198.51.0.1"]
    assert [line.split(":")[1].strip() for line in shown.err.splitlines()] == ["row line 2", "row line 3"]
    assert log_entries(database)[0][4] == 4


def test_a_value_of_any_length_is_printed(
    dsn: str,
    keyset: Keyset,
    keyset_uri: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    value = "x" * 120_000
    token = Masker(keyset).mask(value, "user_logins.masked_ip")
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{token}\n"))

    exit_code = unmask(dsn, keyset_uri, "--stdin")

    assert exit_code == 0
    assert capsys.readouterr().out.splitlines()[1:] == [f"line 1,{token},{value}"]


def test_what_a_terminal_or_a_spreadsheet_would_obey_is_harmless_unless_asked_for(
    dsn: str, keyset_uri: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login(1, ip='=HYPERLINK("https://x.example")'), login(2, ip="\x1b[2J")])

    unmask(dsn, keyset_uri)
    harmless = capsys.readouterr()
    unmask(dsn, keyset_uri, "--raw")
    raw = capsys.readouterr()

    values = {row["ip"] for row in csv.DictReader(io.StringIO(harmless.out, newline=""))}
    assert values == {'\'=HYPERLINK("https://x.example")', "\\x1b[2J"}
    assert "2 values with control characters or formulas were made harmless" in harmless.err
    assert {row["ip"] for row in csv.DictReader(io.StringIO(raw.out, newline=""))} == {
        '=HYPERLINK("https://x.example")',
        "\x1b[2J",
    }
    assert raw.err == ""


def test_with_the_wrong_key_every_row_is_an_error_and_none_a_value(
    dsn: str, write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message_id, _ = write([login(1), login(2)])
    other = FileKeyset(tmp_path / "other.json")
    other.create(create_keyset())

    exit_code = unmask(dsn, other.uri)

    shown = capsys.readouterr()
    assert exit_code == 1
    assert shown.out.splitlines() == ["row,masked_ip,ip"]
    assert f"row {message_id}: the token was made with key" in shown.err


def test_a_row_older_than_message_ids_is_named_by_its_ctid(
    dsn: str, keyset_uri: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO user_logins (user_id, masked_ip, key_id) VALUES ('old', 'from elsewhere', 1)")

    exit_code = unmask(dsn, keyset_uri)

    assert exit_code == 1
    assert "row ctid (0,1): the token is not a token" in capsys.readouterr().err


def test_rows_that_name_no_key_are_older_than_the_job_and_left_out_and_counted(
    dsn: str, keyset_uri: str, write: Write, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login(1)])
    with database.cursor() as cursor:
        cursor.execute("INSERT INTO user_logins (user_id, masked_ip) VALUES ('old', 'from elsewhere')")

    exit_code = unmask(dsn, keyset_uri)

    shown = capsys.readouterr()
    assert exit_code == 0
    assert [line.rpartition(",")[2] for line in shown.out.splitlines()] == ["ip", "198.51.0.1"]
    assert "1 values are left out: their rows name no key, so they are older than the job" in shown.err


def test_without_the_right_to_the_log_no_value_is_shown(
    dsn: str, keyset_uri: str, write: Write, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login(1)])
    with database.cursor() as cursor:
        cursor.execute("DROP TABLE pii_access_log")

    exit_code = unmask(dsn, keyset_uri)

    shown = capsys.readouterr()
    assert exit_code == 2
    assert shown.out == ""
    assert "pii_access_log" in shown.err


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--column=user_id"], "is not a masked column of user_logins; those are: masked_ip, masked_device_id"),
        (["--reason= "], "say why the values are needed"),
        (["--where=locale = 'DE"], "where: is not a condition in SQL: unterminated quoted string"),
        (["--where=TRUE); DELETE FROM user_logins; SELECT (1"], "without a semicolon"),
        (["--where=countri = 'DE'"], "where: 'countri' is not a column of user_logins; those are: user_id,"),
        (["--where=local = 'DE'"], "where: 'local' is not a column of user_logins; did you mean locale?"),
        (["--reason=a\nb"], "reason: holds line breaks"),
        (["--keyset=file:/there/is/none"], "No such file"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    dsn: str,
    keyset_uri: str,
    write: Write,
    database: Connection,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    complaint: str,
) -> None:
    write([login(1)])

    exit_code = unmask(dsn, keyset_uri, *options)

    shown = capsys.readouterr()
    assert exit_code in (1, 2)
    assert complaint in shown.err
    assert shown.err.count("\n") <= 2
    assert "198.51" not in shown.out + shown.err
    assert log_entries(database) == []
