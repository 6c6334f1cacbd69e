"""``keys`` and the data lake: a key stays while the opaque copy has rows that only it can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.logins import login
from tests.maskline.postgres.records import run
from tests.pipeline.commands.conftest import Write
from tests.pipeline.commands.keys.conftest import Keys, an_hour_passes
from tests.pipeline.commands.keys.test_report import cells

NOT_LOOKED_AT = "A copy in a data lake was not looked at; where there is one, say --lake_opaque URI.\n"


class Lake:
    """An opaque copy with two rows of the key before the primary, and a table that has been remasked."""

    def __init__(self, dsn: str, keyset_uri: str, old: int, place: Path) -> None:
        self.option = f"--lake_opaque={place}"
        self.postgres = f"--postgres={dsn}"
        self.old = old
        self.place = place
        self._keyset = f"--keyset={keyset_uri}"

    def remask(self) -> None:
        """Bring the copy under the primary key."""
        assert main(["lake", "remask", self.postgres, self._keyset, self.option]) == 0


@pytest.fixture
def lake(
    keys: Keys,
    keyset: Keyset,
    keyset_file: Path,
    keyset_uri: str,
    dsn: str,
    write: Write,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> Lake:
    """A rotation after which the opaque copy did not follow yet."""
    write([login(), login()])
    publish(dsn, lake_table(tmp_path / "opaque"))
    keys("add")
    keys("promote", json.loads(keyset_file.read_text())["key"][-1]["keyId"])
    assert main(["remask", f"--postgres={dsn}", f"--keyset={keyset_uri}"]) == 0
    capsys.readouterr()
    return Lake(dsn, keyset_uri, keyset.primary_key_id, tmp_path / "opaque")


def test_a_key_that_the_opaque_copy_needs_is_not_disabled(
    keys: Keys, keyset_file: Path, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    assert keys("disable", lake.old, lake.option, lake.postgres) == 2

    assert capsys.readouterr().err == (
        f"maskline: key {lake.old}: 2 rows of the opaque copy carry its id and need it; bring them under the primary "
        "key with: maskline lake remask\n"
    )
    assert keyset_file.read_bytes() == before


def test_once_the_copy_has_followed_the_key_is_disabled_and_destroyed(
    keys: Keys, keyset_file: Path, lake: Lake, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    lake.remask()

    disabled = keys("disable", lake.old, lake.option, lake.postgres)
    an_hour_passes(database)
    destroyed = keys("destroy", lake.old, lake.postgres, lake.option)

    said = capsys.readouterr().out
    assert (disabled, destroyed) == (0, 0)
    assert said.count("No row of the opaque copy needs it.\n") == 2
    assert "not looked at" not in said
    assert lake.old not in [key["keyId"] for key in json.loads(keyset_file.read_text())["key"]]


def test_a_disabled_key_that_the_opaque_copy_needs_is_not_destroyed(
    keys: Keys, keyset_file: Path, lake: Lake, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("disable", lake.old, lake.postgres)
    assert NOT_LOOKED_AT in capsys.readouterr().out
    before = keyset_file.read_bytes()

    assert keys("destroy", lake.old, lake.postgres, lake.option) == 2

    assert capsys.readouterr().err == (
        f"maskline: key {lake.old}: 2 rows of the opaque copy carry its id and need it; enable it, and bring them "
        "under the primary key with: maskline lake remask\n"
    )
    assert keyset_file.read_bytes() == before


def test_rows_of_table_and_copy_are_counted_together(
    keys: Keys, lake: Lake, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, "UPDATE user_logins SET key_id = %s", [lake.old])
    keys("disable", lake.old, lake.postgres)

    assert keys("destroy", lake.old, lake.postgres, lake.option) == 2

    assert (
        "2 rows of user_logins and 2 rows of the opaque copy carry its id and need it; enable it, and bring them under "
        "the primary key with: maskline remask (once for each stream), and maskline lake remask\n"
    ) in capsys.readouterr().err
    run(database, "DELETE FROM user_logins")


def test_without_a_copy_named_a_key_is_destroyed_and_the_copy_is_mentioned(
    keys: Keys, lake: Lake, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("disable", lake.old, lake.postgres)
    an_hour_passes(database)
    capsys.readouterr()

    assert keys("destroy", lake.old, lake.postgres) == 0

    assert NOT_LOOKED_AT in capsys.readouterr().out


@pytest.mark.parametrize("action", ["disable", "destroy"])
def test_force_asks_no_copy(keys: Keys, lake: Lake, action: str) -> None:
    assert keys(action, lake.old, "--lake_opaque=/nonexistent/copy", "--force", lake.postgres) == 0


def test_a_copy_that_is_not_there_counts_for_nothing(
    keys: Keys, keyset_file: Path, lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    assert keys("disable", lake.old, lake.postgres, f"--lake_opaque={tmp_path / 'elsewhere'}") == 2

    assert "elsewhere: there is no Delta table" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_a_raw_key_stays_while_rows_of_the_copy_name_no_key(
    keys: Keys, imported: int, dsn: str, database: Connection, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, "INSERT INTO user_logins (masked_ip) VALUES ('masked elsewhere')")
    publish(dsn, lake_table(tmp_path / "opaque"))

    assert keys("disable", imported, f"--postgres={dsn}", f"--lake_opaque={tmp_path / 'opaque'}") == 2

    assert "1 rows of the opaque copy name no key and may need it; bring them" in capsys.readouterr().err


def test_the_list_counts_the_rows_of_the_copy(keys: Keys, lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    assert keys("list", lake.postgres, lake.option) == 0

    *headings, old, new = cells(capsys.readouterr().out)
    assert " ".join(heading[-1] for heading in headings).strip() == "opaque copy"
    assert (old[0], old[-3:]) == (str(lake.old), ["0", "0", "2"])
    assert new[-3:] == ["0", "2", "0"]
    assert rows_in(lake.place, "key_id") == [lake.old] * 2
