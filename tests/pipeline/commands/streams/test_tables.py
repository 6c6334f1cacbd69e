"""``streams ddl`` and ``streams apply``: the table as SQL, and as it comes to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.pipeline.cli import main
from maskline.postgres.ddl import create_table
from maskline.streams.definition import load_stream
from tests.conftest import run_sql
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import connected, rows_of

ORDERS = "tests/e2e/orders.toml"


def test_ddl_prints_the_same_by_either_name(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["streams", "ddl", ORDERS], ["ddl", ORDERS], ["ddl", f"--stream={ORDERS}"]):
        assert main(command) == 0
        assert capsys.readouterr().out == create_table(load_stream(ORDERS))


def test_a_definition_with_a_byte_order_mark_is_taken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "orders.toml"
    file.write_bytes(b"\xef\xbb\xbf" + Path(ORDERS).read_bytes())

    assert main(["streams", "ddl", str(file)]) == 0
    assert capsys.readouterr().out == create_table(load_stream(ORDERS))


def test_apply_says_each_change_in_a_line_and_does_nothing_twice(
    unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["streams", "apply", ORDERS, "user_logins", f"--postgres={unmigrated_dsn}"]

    first = main(command), capsys.readouterr().out.splitlines()
    migrated = main(["migrate", f"--postgres={unmigrated_dsn}"])
    capsys.readouterr()
    second = main(command), capsys.readouterr().out.splitlines()

    assert (first[0], migrated, second[0]) == (0, 0, 0)
    assert first[1][:2] == ["Made table orders.", "Made an index of orders on written_in."]
    assert first[1][-1] == "Table user_logins is looked after by migrate, and left as it is."
    assert second[1] == [
        "Table orders has all that the stream orders needs.",
        "Table user_logins is looked after by migrate, and left as it is.",
    ]


def test_ddl_prints_what_the_database_lacks(dsn: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["streams", "apply", ORDERS, f"--postgres={dsn}"])
    run_sql(dsn, "ALTER TABLE orders DROP COLUMN note, ALTER COLUMN masked_email TYPE varchar(200)")
    capsys.readouterr()

    exit_code = main(["streams", "ddl", ORDERS, f"--postgres={dsn}"])

    assert exit_code == 0
    assert capsys.readouterr().out == (
        "BEGIN;\n"
        "SET LOCAL lock_timeout = '300ms';\n"
        'ALTER TABLE "orders" ALTER COLUMN "masked_email" TYPE varchar(400);\n'
        'ALTER TABLE "orders" ADD COLUMN "note" text;\n'
        "COMMIT;\n"
    )


def test_nothing_is_done_for_any_stream_where_one_cannot_be_altered(
    dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.toml").write_text('name = "other"\ntable = "other"\n[columns.n]\ntype = "bigint"\n')
    run_sql(dsn, "CREATE TABLE orders (order_number text)")

    exit_code = main(["streams", "apply", str(tmp_path / "other.toml"), ORDERS, f"--postgres={dsn}"])

    assert exit_code == 2
    printed = capsys.readouterr()
    assert "table orders cannot be altered safely, and nothing was: column order_number is text" in printed.err
    assert printed.out == ""
    run_sql(dsn, "CREATE TABLE other ()")  # which there is none of


VISIT = '{{"user_id": "u{0}", "ip": "203.0.113.{0}"}}'
VISITS = """
name = "visits"
table = "shop.visits"
[columns.user_id]
type = "text"
clear = true
[columns.masked_ip]
field = "ip"
type = "text"
pii = true
"""


def test_each_role_does_its_work_on_a_table_that_was_made_before_migrate(
    unmigrated_dsn: str, keyset: Keyset, keyset_uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "visits.toml"
    file.write_text(VISITS)
    shared = [f"--keyset={keyset_uri}", f"--stream={file}"]
    assert main(["streams", "apply", str(file), f"--postgres={unmigrated_dsn}"]) == 0
    assert main(["migrate", f"--postgres={unmigrated_dsn}"]) == 0

    write_masked(as_role(unmigrated_dsn, "writer"), keyset, map(VISIT.format, (1, 2, 3)), stream=str(file))
    unmasking = [as_role(unmigrated_dsn, "analyst"), "--column=masked_ip", "--reason=ticket 1"]
    unmasked = main(["unmask", *shared, f"--postgres={unmasking[0]}", *unmasking[1:]])
    shown = capsys.readouterr().out
    remasked = main(["remask", *shared, f"--postgres={as_role(unmigrated_dsn, 'remasker')}"])
    erasing = [f"--postgres={as_role(unmigrated_dsn, 'eraser')}", "--no_lake", "--user_id=u2", "--reason=request 12"]
    erased = main(["erase", *shared, "--stream=user_logins", *erasing])

    assert (unmasked, remasked, erased) == (0, 0, 0), capsys.readouterr()
    assert "203.0.113.1" in shown
    with connected(unmigrated_dsn) as owner:
        assert rows_of(owner, "SELECT user_id FROM shop.visits ORDER BY 1") == [("u1",), ("u3",)]


def as_role(dsn: str, role: str) -> str:
    """Return a data source name with the permissions of one role alone."""
    return f"{dsn}&options=-crole%3Dmaskline_{role}"
