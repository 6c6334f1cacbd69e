"""``publish`` and ``lake``, as a person uses them."""

from __future__ import annotations

import functools
import json
import signal
import stat
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.awaiting import await_until
from tests.e2e.conftest import login
from tests.e2e.job_process import JobProcess
from tests.maskline.lake.copies import rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import run

READER = "arn:aws:iam::123456789012:role/counting"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/4711"


@pytest.fixture
def options(dsn: str, keyset_uri: str, tmp_path: Path) -> list[str]:
    """The options that name database, keyset and both copies."""
    lake = [f"--lake_opaque={tmp_path / 'opaque'}", f"--lake_clear={tmp_path / 'clear'}"]
    return [f"--postgres={dsn}", f"--keyset={keyset_uri}", *lake]


def test_a_publication_its_status_and_its_verification(
    dsn: str,
    keyset: Keyset,
    database: Connection,
    options: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_masked(dsn, keyset, [login(number) for number in range(7)])

    codes = [main(["lake", "publish", *options]), main(["publish", *options])]
    write_masked(dsn, keyset, [login(8)])
    without_keyset = [option for option in options if "keyset" not in option]
    codes.append(main(["lake", "verify", *options]))
    codes += [main(["lake", action, *without_keyset]) for action in ("status", "compact", "vacuum")]
    before = capsys.readouterr().out
    codes.append(main(["lake", "status", "--json", *without_keyset]))
    listed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    run(database, "UPDATE user_logins SET locale = 'XX' WHERE user_id = (SELECT min(user_id) FROM user_logins)")
    codes.append(main(["lake", "verify", *options]))

    assert codes == [0, 0, 0, 0, 0, 0, 0, 1]
    said = before + capsys.readouterr().out
    assert [(each["copy"], each["rows"], each["not_published"]) for each in listed] == [
        ("opaque", 7, 1),
        ("clear", 7, 1),
    ]
    assert "opaque: 7 rows published to file://" in said
    assert "clear: 0 rows published to file://" in said
    assert "opaque: 7 rows on 1 days, as in user_logins." in said
    assert "clear: 7 rows on 1 days; 1 of them differ from user_logins:" in said
    assert "    1 not the same: " in said
    (opaque, clear) = [line.split("│") for line in said.splitlines() if line.startswith(("│ opaque", "│ clear"))]
    assert [cell.strip() for cell in opaque[3:5]] == [cell.strip() for cell in clear[3:5]] == ["7", "1"]
    assert opaque[7].strip() == clear[7].strip() == "1", "not published yet"
    assert stat.S_IMODE((tmp_path / "clear").stat().st_mode) == 0o700


def has_rows(place: Path, count: int) -> bool:
    """Say whether a copy is there and has so many rows."""
    return (place / "_delta_log").exists() and len(rows_in(place, "message_id")) == count


def test_following_publishes_until_it_is_stopped(dsn: str, keyset: Keyset, options: list[str], tmp_path: Path) -> None:
    process = JobProcess(["lake", "publish", *options, "--follow", "--interval_seconds=0.2"])
    try:
        for number in range(2):
            write_masked(dsn, keyset, [login(number)])
            await_until(functools.partial(has_rows, tmp_path / "clear", number + 1), "the row is in the clear copy")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0, process.errors
    finally:
        process.kill()
    assert process.output.startswith(
        f"Publishing to file://{tmp_path / 'opaque'} and file://{tmp_path / 'clear'} every 0.2"
    )


def test_the_policies_are_the_least_that_a_reader_needs(capsys: pytest.CaptureFixture[str]) -> None:
    lake = ["--lake_opaque=s3://lake/opaque", "--lake_clear=s3://lake-clear/logins", "--lake_clear_profile=clear"]

    assert main(["lake", "publish", *lake, f"--lake_clear_kms_key={KEY}", f"--print_policy={READER}"]) == 0

    policies = json.loads(capsys.readouterr().out)
    clear = policies["clear copy at s3://lake-clear/logins"]
    assert [(s["Effect"], s["Action"], s["Resource"]) for s in clear["bucket"]["Statement"]] == [
        ("Allow", "s3:ListBucket", "arn:aws:s3:::lake-clear"),
        ("Allow", "s3:GetObject", "arn:aws:s3:::lake-clear/logins/*"),
        ("Deny", "s3:*", ["arn:aws:s3:::lake-clear", "arn:aws:s3:::lake-clear/logins/*"]),
    ]
    assert clear["key"]["Statement"][0]["Condition"] == {
        "StringEquals": {"kms:ViaService": "s3.eu-central-1.amazonaws.com"}
    }
    assert "key" not in policies["opaque copy at s3://lake/opaque"]


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ([], "lake: missing; give --lake_opaque or --lake_clear, or both"),
        (["--lake_opaque=ftp://x/y"], "give s3://BUCKET/PREFIX, file:///PATH or a path"),
        (["--lake_clear=s3://bucket/clear"], "the clear copy needs credentials of its own"),
        (["--lake_opaque=/lake", "--lake_clear=/lake/clear"], "the two copies need places of their own"),
        (["--lake_opaque=/lake", "--lake_opaque_profile=p"], "a profile is not for a place of this kind"),
        (["--lake_opaque=/lake", "--rows_per_file=0"], "rows_per_file is 0; it must be more than 0"),
        (["--lake_opaque=/lake", "--interval_seconds=0"], "interval_seconds is 0.0; it must be more than 0"),
        (["--lake_opaque=/lake", "--print_policy=me"], "policies are for copies in S3"),
        (["--lake_opaque=s3://b/o", "--print_policy=me"], "print_policy: give the ARN of a role or a user"),
    ],
)
def test_a_wrong_use_is_refused_in_one_line(
    arguments: list[str], refusal: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["lake", "publish", "--postgres=dbname=none", *arguments]) == 2

    error = capsys.readouterr().err
    assert refusal in error
    assert error.count("\n") == 1


def test_a_table_without_its_column_is_an_error_with_the_statement_that_adds_it(
    database: Connection, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, "ALTER TABLE user_logins DROP COLUMN written_in")

    assert main(["lake", "publish", *options]) == 2

    statement = capsys.readouterr().err.partition("run: ")[2].strip()
    run(database, statement)
    assert main(["lake", "publish", *options]) == 0


def test_after_a_rotation_the_opaque_copy_follows_the_table(
    dsn: str, keyset: Keyset, keyset_uri: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_masked(dsn, keyset, [login(1), login(2)])
    main(["lake", "publish", *options])
    main(["keys", "add", f"--keyset={keyset_uri}"])
    new = json.loads(Path(keyset_uri.removeprefix("file:")).read_text())["key"][-1]["keyId"]
    main(["keys", "promote", f"--keyset={keyset_uri}", str(new)])
    assert main(["remask", *options[:2]]) == 0
    assert main(["lake", "verify", *options]) == 1

    assert main(["lake", "remask", *options]) == 0

    assert f"opaque: 2 rows brought under key {new}." in capsys.readouterr().out
    assert rows_in(tmp_path / "opaque", "key_id") == [new, new]
    assert main(["lake", "verify", *options]) == 0
    assert main(["lake", "publish", *options]) == 0
    assert rows_in(tmp_path / "clear", "ip") == ["198.51.0.1", "198.51.0.2"]


def test_each_role_is_enough_for_its_command(dsn: str, keyset: Keyset, options: list[str], tmp_path: Path) -> None:
    write_masked(dsn, keyset, [login(1), login(2), "not JSON"])
    others = options[1:]

    assert main(["lake", "publish", f"--postgres={dsn}&options=-c%20role%3Dmaskline_publisher", *others]) == 0
    assert main(["lake", "verify", f"--postgres={dsn}&options=-c%20role%3Dmaskline_publisher", *others]) == 0
    erasing = [f"--postgres={dsn}&options=-c%20role%3Dmaskline_eraser", *others]
    user_id = "00000000-0000-0000-0000-000000000001"
    assert main(["erase", *erasing, f"--user_id={user_id}", "--reason=request 12"]) == 0

    assert rows_in(tmp_path / "clear", "ip") == ["198.51.0.2"]
