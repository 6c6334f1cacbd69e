"""``lake verify`` says how many rows differ, which, and what to do about it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskline.lake import verification
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.e2e.conftest import login
from tests.maskline.postgres.records import rows_of, run
from tests.pipeline.commands.conftest import Write

HINT = (
    "  No publication follows a change of a row. After a rotation of keys, bring the opaque copy under the new key "
    "with: maskline lake remask\n"
)


@pytest.fixture
def options(dsn: str, keyset_uri: str, tmp_path: Path) -> list[str]:
    """The options that name database, keyset and both copies."""
    lake = [f"--lake_opaque={tmp_path / 'opaque'}", f"--lake_clear={tmp_path / 'clear'}"]
    return [f"--postgres={dsn}", f"--keyset={keyset_uri}", *lake]


def test_rows_that_are_only_in_a_copy_are_counted_and_some_of_them_named(
    write: Write, database: Connection, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    written = sorted(write([login(number) for number in range(12)]))
    main(["lake", "publish", *options])
    run(database, "DELETE FROM user_logins")
    capsys.readouterr()

    assert main(["lake", "verify", *options]) == 1

    said = capsys.readouterr().out
    assert said.count(f"    12 only or twice in the copy: {', '.join(written[:10])} and 2 more\n") == 2
    assert HINT not in said


def test_rows_that_are_not_the_same_come_with_what_may_be_done(
    write: Write, database: Connection, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    first, *_ = write([login(1), login(2)])
    main(["lake", "publish", *options])
    run(database, "UPDATE user_logins SET locale = 'XX' WHERE message_id = %s", [first])
    capsys.readouterr()

    assert main(["lake", "verify", *options]) == 1

    opaque, clear = capsys.readouterr().out.split("clear: ")
    assert f"    1 not the same: {first}\n{HINT}" in opaque
    assert f"    1 not the same: {first}\n" in clear
    assert HINT not in clear


def test_that_too_many_rows_differ_to_be_named_is_said(
    write: Write,
    database: Connection,
    options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([login(1), login(2)])
    main(["lake", "publish", *options])
    run(database, "DELETE FROM user_logins")
    monkeypatch.setattr(verification, "MAX_ROWS_COMPARED", 1)

    assert main(["lake", "verify", *options]) == 1

    assert "which of them differ is not known: they are too many to compare one by one" in capsys.readouterr().out


def test_what_differs_is_an_object_a_copy_with_every_message_id(
    write: Write, database: Connection, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    written = sorted(write([login(number) for number in range(12)]))
    main(["lake", "publish", *options])
    run(database, "DELETE FROM user_logins WHERE message_id <> %s", [written[0]])
    ((day,),) = rows_of(database, "SELECT create_date::text FROM user_logins")
    capsys.readouterr()

    assert main(["lake", "verify", *options, "--json"]) == 1

    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert found == [
        {
            "copy": copy,
            "rows": 12,
            "days": 1,
            "differences": [
                {"day": day, "in_table": 1, "in_copy": 12, "missing": [], "extra": written[1:], "changed": []}
            ],
            "oddities": {"older_rows": 0, "not_held": {}, "rows": []},
        }
        for copy in ("opaque", "clear")
    ]


def test_copies_that_do_not_differ_are_objects_without_differences(
    write: Write, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write([login(1)])
    main(["lake", "publish", *options])
    capsys.readouterr()

    assert main(["lake", "verify", *options, "--json"]) == 0

    assert [json.loads(line)["differences"] for line in capsys.readouterr().out.splitlines()] == [[], []]
