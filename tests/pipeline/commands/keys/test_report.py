"""``keys list``: everything but the keys, and every row that needs one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.postgres.connection import Connection
from tests.maskline.keysets import opened as opened_of
from tests.maskline.logins import login
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import run
from tests.pipeline.commands.conftest import Write
from tests.pipeline.commands.keys.conftest import Keys


def cells(shown: str) -> list[list[str]]:
    """Return the cells of a printed table."""
    return [
        [cell.strip() for cell in line.strip("│┃").split(line[0])] for line in shown.splitlines() if line[0] in "│┃"
    ]


def test_the_list_shows_ids_states_and_which_masks_and_no_key(
    keys: Keys, keyset: Keyset, keyset_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("add")
    new = json.loads(keyset_file.read_text())["key"][1]["keyId"]
    keys("disable", new, "--no_database")
    capsys.readouterr()

    assert keys("list") == 0

    shown = capsys.readouterr().out
    assert cells(shown) == [
        ["key id", "state", "prefix", "primary"],
        [str(keyset.primary_key_id), "enabled", "tink", "yes"],
        [str(new), "disabled", "tink", ""],
    ]
    values = [key["keyData"]["value"] for key in json.loads(keyset_file.read_text())["key"]]
    assert not any(value[4:12] in shown for value in values)


def test_with_a_database_it_shows_how_many_rows_need_each_key(
    keys: Keys,
    keyset: Keyset,
    dsn: str,
    database: Connection,
    write: Write,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([login(), login(), "not JSON"])
    write_masked(dsn, opened_of(7), [login()])
    run(database, "INSERT INTO user_logins (user_id) VALUES ('older than the job')")

    assert keys("list", f"--postgres={dsn}") == 0

    assert cells(capsys.readouterr().out) == [
        ["key id", "state", "prefix", "primary", "rejected_messages", "user_logins"],
        [str(keyset.primary_key_id), "enabled", "tink", "yes", "1", "2"],
        ["none", "", "", "", "0", "1"],
        ["7", "not held", "", "", "0", "1"],
    ]


@pytest.mark.parametrize("columns", ["20", "80", "200"])
def test_every_column_is_shown_whole_at_any_width(
    keys: Keys,
    keyset: Keyset,
    dsn: str,
    database: Connection,
    write: Write,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    write([login()])
    name = "a_table_that_has_quite_a_long_name_for_a_terminal_of_80_columns"
    run(database, f"CREATE TABLE {name} (LIKE user_logins INCLUDING DEFAULTS)")
    monkeypatch.setenv("COLUMNS", columns)

    assert keys("list", f"--postgres={dsn}") == 0

    header, row, *_ = cells(capsys.readouterr().out)
    assert header == ["key id", "state", "prefix", "primary", name, "rejected_messages", "user_logins"]
    assert row == [str(keyset.primary_key_id), "enabled", "tink", "yes", "0", "0", "1"]


def test_as_json_it_is_an_object_a_key(
    keys: Keys, keyset: Keyset, dsn: str, database: Connection, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login()])
    write_masked(dsn, opened_of(7), [login()])
    run(database, "INSERT INTO user_logins (user_id) VALUES ('older than the job')")

    keys("list", f"--postgres={dsn}", "--json")

    key_id = keyset.primary_key_id
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [
        {
            "key_id": key_id,
            "state": "enabled",
            "prefix": "tink",
            "primary": True,
            "rows": {"rejected_messages": 0, "user_logins": 1},
        },
        {
            "key_id": None,
            "state": None,
            "prefix": None,
            "primary": False,
            "rows": {"rejected_messages": 0, "user_logins": 1},
        },
        {
            "key_id": 7,
            "state": "not held",
            "prefix": None,
            "primary": False,
            "rows": {"rejected_messages": 0, "user_logins": 1},
        },
    ]


def test_as_json_without_a_database_no_rows_are_counted(
    keys: Keys, keyset: Keyset, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("list", "--json")

    assert json.loads(capsys.readouterr().out) == {
        "key_id": keyset.primary_key_id,
        "state": "enabled",
        "prefix": "tink",
        "primary": True,
    }
