"""``find`` and ``mask``: rows and tokens of values that somebody knows, without a value in clear on the way."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from maskline.keys import Keyset, StoredKeyset, open_keyset
from maskline.keys.files import FileKeyset
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from maskline.streams import definition_file
from tests.e2e.conftest import login
from tests.maskline.keysets import (
    HASH_KEY,
    OTHER_KEY,
    aes_siv_key,
    hash_key,
    raw_key,
    reference_hash,
    reference_token,
    stored,
)
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, run
from tests.pipeline.commands.conftest import Write

LOG = "SELECT role_name, action, stream, column_name, row_count, reason, condition FROM pii_access_log"


@pytest.fixture
def values(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """What sets standard input."""
    return monkeypatch


def find(dsn: str, keyset_uri: str, *options: str) -> int:
    places = [f"--postgres={dsn}", f"--keyset={keyset_uri}", "--column=masked_ip", "--reason=ticket 4711"]
    return main(["find", *places, *options])


def test_the_rows_of_values_come_with_their_line_as_they_are_stored_and_that_is_on_record(
    dsn: str,
    keyset_uri: str,
    stored_keyset: StoredKeyset,
    write: Write,
    database: Connection,
    values: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first, second, _ = write([login(1), login(2, ip='été, "x"'), login(3)])
    values.setattr("sys.stdin", io.StringIO('192.0.2.77\nété, "x"\n198.51.0.1'))

    exit_code = find(dsn, keyset_uri, "--json")

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    key_id = json.loads(stored_keyset.content)["primaryKeyId"]
    assert exit_code == 0
    assert [(row["line"], row["message_id"], row["locale"], row["masked_ip"]) for row in found] == [
        (2, second, "RU", reference_token(raw_key(stored_keyset), key_id, 'été, "x"', "user_logins.masked_ip")),
        (3, first, "RU", reference_token(raw_key(stored_keyset), key_id, "198.51.0.1", "user_logins.masked_ip")),
    ]
    assert rows_of(database, LOG) == [
        ("postgres", "find", "user_logins", "masked_ip", 3, "ticket 4711", None),
    ]


@pytest.mark.parametrize("form", [[], ["--csv"]], ids=["table", "csv"])
def test_what_a_terminal_would_obey_is_harmless_unless_asked_for(
    dsn: str,
    keyset_uri: str,
    write: Write,
    values: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    form: list[str],
) -> None:
    write([login(1, locale="\x1b[2J")])
    values.setenv("COLUMNS", "300")

    shown = {}
    for raw in ([], ["--raw"]):
        values.setattr("sys.stdin", io.StringIO("198.51.0.1"))
        assert find(dsn, keyset_uri, *form, *raw) == 0
        shown[bool(raw)] = capsys.readouterr().out

    assert "\x1b" not in shown[False]
    assert "\\x1b[2J" in shown[False]
    assert "\x1b[2J" in shown[True]


def test_rows_of_earlier_keys_are_found_too(
    dsn: str,
    keyset: Keyset,
    stored_keyset: StoredKeyset,
    tmp_path: Path,
    values: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (old,) = write_masked(dsn, keyset, [login(1)])
    of_the_old = json.loads(stored_keyset.content)
    rotated = stored(of_the_old["key"][0], aes_siv_key(1, OTHER_KEY), primary=1)
    (new,) = write_masked(dsn, open_keyset(rotated), [login(1)])
    file = FileKeyset(tmp_path / "rotated.json")
    file.create(rotated.content)
    values.setattr("sys.stdin", io.StringIO("198.51.0.1\n"))

    find(dsn, file.uri, "--csv")

    found = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert {(row["line"], row["message_id"]) for row in found} == {("1", old), ("1", new)}


def test_a_person_gets_a_table(
    dsn: str, keyset_uri: str, write: Write, values: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login(1)])
    values.setattr("sys.stdin", io.StringIO("198.51.0.1\n192.0.2.77\n"))

    find(dsn, keyset_uri)

    shown = capsys.readouterr().out
    assert "line" in shown
    assert "1 rows; values with a row: 1 of 2." in shown
    assert "198.51.0.1" not in shown


def test_nothing_is_looked_up_that_the_log_does_not_take(
    dsn: str,
    keyset_uri: str,
    write: Write,
    database: Connection,
    values: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([login(1)])
    run(database, "DROP TABLE pii_access_log")
    values.setattr("sys.stdin", io.StringIO("198.51.0.1\n"))

    exit_code = find(dsn, keyset_uri, "--json")

    assert exit_code == 2
    assert capsys.readouterr().out == ""


def test_mask_prints_the_token_of_each_line_and_asks_no_database(
    keyset_uri: str,
    stored_keyset: StoredKeyset,
    values: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values.setattr("sys.stdin", io.StringIO("198.51.0.1\n\nété"))

    exit_code = main(["mask", f"--keyset={keyset_uri}", "--column=masked_ip"])

    key_id = json.loads(stored_keyset.content)["primaryKeyId"]
    assert exit_code == 0
    assert capsys.readouterr().out.splitlines() == [
        reference_token(raw_key(stored_keyset), key_id, value, "user_logins.masked_ip")
        for value in ("198.51.0.1", "", "été")
    ]


@pytest.mark.parametrize("command", ["find", "mask"])
def test_values_that_are_no_text_are_a_line(
    command: str, dsn: str, keyset_uri: str, values: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    values.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"))
    options = [f"--postgres={dsn}", "--reason=ticket"] if command == "find" else []

    exit_code = main([command, f"--keyset={keyset_uri}", "--column=masked_ip", *options])

    assert exit_code == 2
    assert "standard input: is not text in UTF-8" in capsys.readouterr().err


def test_rows_are_found_by_another_spelling_of_their_value(
    dsn: str, keyset_uri: str, write: Write, values: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    message_id, _ = write([login(1, ip="2001:db8::1"), login(2)])
    values.setattr("sys.stdin", io.StringIO("2001:DB8:0:0:0:0:0:1"))

    exit_code = find(dsn, keyset_uri, "--json")

    assert exit_code == 0
    assert [json.loads(line)["message_id"] for line in capsys.readouterr().out.splitlines()] == [message_id]


@pytest.mark.parametrize(
    ("mask", "why"),
    [
        (
            "random",
            "column masked_v: is random; only a value of a column that is masked deterministically, or hashed",
        ),
        ("hash", "hash_keyset: missing; column masked_v is hashed"),
    ],
)
def test_what_cannot_be_found_says_so_before_a_value_is_read(
    dsn: str, keyset_uri: str, tmp_path: Path, mask: str, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = tmp_path / "s.toml"
    stream.write_text(f'name = "s"\ntable = "s"\n[columns.masked_v]\ntype = "text"\nmask = "{mask}"')
    places = [f"--postgres={dsn}", f"--keyset={keyset_uri}", f"--stream={stream}", "--column=masked_v", "--reason=x"]

    assert main(["find", *places]) == 2

    assert why in capsys.readouterr().err


def test_a_hash_is_made_of_the_normal_form(
    keyset_uri: str, tmp_path: Path, values: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stream, place = tmp_path / "s.toml", tmp_path / "hashes.json"
    place.write_bytes(stored(hash_key(), primary=9).content)
    place.chmod(0o600)
    lines = ("[domains.d]", 'normalize = "email"', "[columns.v]", 'type = "text"', 'mask = "hash"', 'domain = "d"')
    stream.write_text("\n".join(('name = "s"', 'table = "s"', *lines)))
    values.setattr("sys.stdin", io.StringIO("Ann@Example.com"))
    places = [f"--keyset={keyset_uri}", f"--hash_keyset=file:{place}", f"--stream={stream}", "--column=v"]

    assert main(["mask", *places]) == 0

    assert capsys.readouterr().out == reference_hash(HASH_KEY, "ann@example.com", "d") + "\n"


def test_rows_are_not_looked_for_by_another_definition_than_they_were_masked_by(
    dsn: str,
    keyset_uri: str,
    write: Write,
    tmp_path: Path,
    values: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([login(1)])
    definition = tmp_path / "logins.toml"
    shipped = Path(definition_file.__file__).with_name("user_logins.toml").read_text()
    shipped = shipped.replace('name = "user_logins"', 'name = "sessions"')
    definition.write_text(shipped.replace('"user_logins.masked', '"sessions.masked'))
    values.setattr("sys.stdin", io.StringIO("198.51.0.1"))

    assert find(dsn, keyset_uri, f"--stream={definition}") == 2

    assert "has tokens made by the stream user_logins of the domain" in capsys.readouterr().err
