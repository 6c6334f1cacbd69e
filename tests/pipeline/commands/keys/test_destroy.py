"""``keys destroy``: refused for as long as anything is known to need the key."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.postgres.connection import Connection
from tests.maskline.logins import login
from tests.maskline.postgres.records import run
from tests.pipeline.commands.conftest import Write
from tests.pipeline.commands.keys.conftest import Keys


@pytest.fixture
def old(keys: Keys, keyset_file: Path, keyset: Keyset, capsys: pytest.CaptureFixture[str]) -> int:
    """The id of the key before the primary, which has been disabled."""
    assert keys("add") == 0
    new = json.loads(keyset_file.read_text())["key"][-1]["keyId"]
    assert keys("promote", new) == 0
    assert keys("disable", keyset.primary_key_id) == 0
    capsys.readouterr()
    return keyset.primary_key_id


def test_a_key_that_rows_carry_stays(
    keys: Keys, keyset_file: Path, old: int, dsn: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login(), login(), "not JSON"])
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old, f"--postgres={dsn}")

    assert exit_code == 2
    assert capsys.readouterr().err == (
        f"maskline: key {old}: 1 rows of rejected_messages and 2 rows of user_logins carry its id and need it; enable "
        "it, and bring them under the primary key with: maskline remask (once for each stream)\n"
    )
    assert keyset_file.read_bytes() == before


def test_a_key_that_is_enabled_is_disabled_first(
    keys: Keys, keyset_file: Path, old: int, dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("enable", old)
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old, f"--postgres={dsn}")

    assert exit_code == 2
    assert "is enabled; disable it first, restart every job that started when it was" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_without_a_database_to_count_in_a_key_stays(
    keys: Keys, keyset_file: Path, old: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old)

    assert exit_code == 2
    assert "rows that need the key are counted first: give --postgres" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_a_database_that_is_not_the_jobs_counts_for_nothing(
    keys: Keys, keyset_file: Path, old: int, unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old, f"--postgres={unmigrated_dsn}")

    assert exit_code == 2
    assert "no row can be counted; is this the job's database?" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_an_imported_key_stays_while_rows_name_no_key(
    keys: Keys, keyset_file: Path, imported: int, dsn: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("disable", imported)
    run(database, "INSERT INTO user_logins (masked_ip) VALUES ('masked elsewhere')")
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", imported, f"--postgres={dsn}")

    assert exit_code == 2
    assert "1 rows of user_logins name no key and may need it; enable it" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


@pytest.mark.parametrize("how", ["nothing needs it", "by force"])
def test_a_destroyed_key_is_gone(
    keys: Keys, keyset_file: Path, old: int, dsn: str, write: Write, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    key_bytes = json.loads(keyset_file.read_text())["key"][0]["keyData"]["value"]
    if how == "by force":
        write([login()])

    exit_code = keys("destroy", old, *(["--force"] if how == "by force" else [f"--postgres={dsn}"]))

    assert exit_code == 0
    assert key_bytes not in keyset_file.read_text()
    assert old not in [key["keyId"] for key in json.loads(keyset_file.read_text())["key"]]
    said = "No row of rejected_messages and user_logins in this database needs it." in capsys.readouterr().out
    assert said == (how == "nothing needs it")


def test_force_is_spelt_out(keys: Keys, keyset_file: Path, old: int, capsys: pytest.CaptureFixture[str]) -> None:
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old, "--f")

    assert exit_code == 2
    assert capsys.readouterr().err == (
        "maskline: unknown option --f; did you mean --force? see: maskline keys destroy --help\n"
    )
    assert keyset_file.read_bytes() == before
