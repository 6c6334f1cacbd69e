"""``keys destroy``: refused for as long as anything is known to need the key."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from maskline.errors import KeysetError
from maskline.keys import Keyset
from maskline.postgres.connection import Connection
from tests.maskline.logins import login
from tests.maskline.postgres.records import rows_of, run
from tests.pipeline.commands.conftest import Write
from tests.pipeline.commands.keys.conftest import Keys, an_hour_passes


@pytest.fixture
def old(keys: Keys, keyset_file: Path, keyset: Keyset, capsys: pytest.CaptureFixture[str]) -> int:
    """The id of the key before the primary, which has been disabled."""
    assert keys("add") == 0
    new = json.loads(keyset_file.read_text())["key"][-1]["keyId"]
    assert keys("promote", new) == 0
    assert keys("disable", keyset.primary_key_id, "--no_database") == 0
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
    assert "is enabled; disable it first, and see that nothing misses it" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_without_a_database_to_count_in_a_key_stays(
    keys: Keys, keyset_file: Path, old: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old)

    assert exit_code == 2
    assert "its rows are counted: give --postgres, or say --no_database" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_a_database_that_is_not_the_jobs_counts_for_nothing(
    keys: Keys, keyset_file: Path, old: int, unmigrated_dsn: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyset_file.read_bytes()

    exit_code = keys("destroy", old, f"--postgres={unmigrated_dsn}")

    assert exit_code == 2
    assert "the database does not know its keys yet; run: maskline migrate" in capsys.readouterr().err
    assert keyset_file.read_bytes() == before


def test_an_imported_key_stays_while_rows_name_no_key(
    keys: Keys, keyset_file: Path, imported: int, dsn: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    keys("disable", imported, "--no_database")
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

    exit_code = keys("destroy", old, f"--postgres={dsn}", *(["--force"] if how == "by force" else []))

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


def test_a_key_that_a_job_wrote_under_within_the_hour_stays_and_the_job_is_named(
    keys: Keys,
    keyset_file: Path,
    old: int,
    dsn: str,
    write: Write,
    database: Connection,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([login()])
    run(database, "DELETE FROM user_logins")
    before = keyset_file.read_bytes()

    too_early = keys("destroy", old, f"--postgres={dsn}")
    said = capsys.readouterr().err
    an_hour_passes(database)
    later = keys("destroy", old, f"--postgres={dsn}")

    assert (too_early, later) == (2, 0)
    assert re.search(
        rf"key {old}: was written under within the last hour by user_logins from \S+ as postgres"
        r" \(\d\d:\d\d:\d\d \w+\);"
        " see that these jobs run with a newer keyset, and wait, or say --force",
        said,
    )
    assert keyset_file.read_bytes() != before


@pytest.mark.parametrize(
    ("made", "name"),
    [
        ("CREATE TABLE old_logins AS SELECT masked_ip AS ip_token FROM user_logins", "old_logins"),
        ("CREATE MATERIALIZED VIEW seen AS SELECT masked_ip FROM user_logins", "seen"),
        ("CREATE TABLE as_lists AS SELECT array_agg(masked_ip) AS ips FROM user_logins", "as_lists"),
        ("CREATE TABLE as_json AS SELECT to_jsonb(user_logins) AS login FROM user_logins", "as_json"),
        ("CREATE TABLE archive AS TABLE user_logins", "archive"),
        ("CREATE TABLE unnamed AS SELECT message_id, NULL::bigint AS key_id, masked_ip FROM user_logins", "unnamed"),
        ("CREATE TABLE misnamed AS SELECT message_id, 7 AS key_id, masked_ip AS x FROM user_logins", "misnamed"),
        (
            "CREATE DOMAIN secret AS text; CREATE TABLE of_domain (x secret);"
            " INSERT INTO of_domain SELECT masked_ip FROM user_logins",
            "of_domain",
        ),
        ("CREATE TABLE as_bytes AS SELECT convert_to('ip=' || masked_ip, 'UTF8') AS x FROM user_logins", "as_bytes"),
        (
            "CREATE TABLE as_parts AS SELECT ARRAY[decode(translate(masked_ip, '-_', '+/') || repeat('=',"
            " -length(masked_ip) & 3), 'base64')] AS x FROM user_logins",
            "as_parts",
        ),
        (
            "CREATE TYPE pair AS (a text, b text); CREATE TABLE as_pairs AS SELECT ('x', masked_ip)::pair AS p"
            " FROM user_logins",
            "as_pairs",
        ),
        ("CREATE TABLE as_documents AS SELECT ARRAY[to_jsonb(masked_ip)] AS x FROM user_logins", "as_documents"),
        (
            "CREATE SCHEMA attic; CREATE TABLE attic.logins (ip text, y int) PARTITION BY LIST (y);"
            " CREATE TABLE attic.logins_1 PARTITION OF attic.logins FOR VALUES IN (1);"
            " INSERT INTO attic.logins SELECT masked_ip, 1 FROM user_logins",
            "attic.logins",
        ),
    ],
)
def test_a_key_whose_tokens_are_in_any_table_of_the_database_stays(
    keys: Keys,
    old: int,
    dsn: str,
    write: Write,
    database: Connection,
    made: str,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write([login()])
    run(database, made)
    run(database, "DELETE FROM user_logins")
    an_hour_passes(database)

    exit_code = keys("destroy", old, f"--postgres={dsn}")

    assert exit_code == 2
    assert f"key {old}: 1 rows of {name} carry its id and need it" in capsys.readouterr().err


def test_tables_of_others_that_cannot_be_read_are_named(
    keys: Keys, old: int, dsn: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, "CREATE TABLE theirs (note text); GRANT maskline_remasker TO CURRENT_USER")
    as_remasker = f"{dsn}&options=-crole%3Dmaskline_remasker"

    exit_code = keys("destroy", old, f"--postgres={as_remasker}")

    said = capsys.readouterr()
    assert exit_code == 0, said.err
    assert "Not looked at, for this role may not read them: theirs.\n" in said.out


def test_a_table_that_cannot_be_read_and_has_a_masked_columns_name_keeps_the_key(
    keys: Keys, old: int, dsn: str, database: Connection, capsys: pytest.CaptureFixture[str]
) -> None:
    run(database, "CREATE TABLE theirs (masked_ip text)")
    run(
        database,
        "INSERT INTO maskline_columns (stream, table_name, column_name, domain, mask)"
        " VALUES ('user_logins', 'public.user_logins', 'masked_ip', 'user_logins.masked_ip', 'deterministic')",
    )
    as_remasker = f"{dsn}&options=-crole%3Dmaskline_remasker"

    exit_code = keys("destroy", old, f"--postgres={as_remasker}")

    assert exit_code == 2
    assert "theirs may hold its tokens, and this role may not read them; grant it SELECT" in capsys.readouterr().err


def test_the_database_refuses_a_destroyed_key_for_ever(
    keys: Keys, old: int, dsn: str, write: Write, database: Connection
) -> None:
    assert keys("destroy", old, f"--postgres={dsn}") == 0

    with pytest.raises(KeysetError, match=f"key {old} is destroyed in this database"):
        write([login()])

    assert rows_of(database, "SELECT count(*) FROM user_logins") == [(0,)]


def test_left_out_by_name_a_database_is_said_to_know_nothing(
    keys: Keys, old: int, capsys: pytest.CaptureFixture[str]
) -> None:
    exit_code = keys("destroy", old, "--no_database")

    assert exit_code == 0
    assert capsys.readouterr().out.endswith(
        "No database was told: a job that masks under it goes on, what it writes is lost with the key, and nobody "
        "counted the rows that need it.\n"
    )


@pytest.mark.parametrize("action", ["disable", "destroy"])
def test_the_database_is_named_or_left_out_by_name(
    keys: Keys, old: int, action: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert keys(action, old) == 2

    assert "give --postgres, or say --no_database" in capsys.readouterr().err


def test_a_disabled_key_is_refused_by_the_database_until_it_is_enabled(
    keys: Keys, old: int, dsn: str, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    write([login()])

    assert keys("disable", old, f"--postgres={dsn}") == 0
    said = capsys.readouterr().out
    with pytest.raises(KeysetError, match=f"key {old} is disabled in this database"):
        write([login()])
    assert keys("enable", old, f"--postgres={dsn}") == 0
    write([login()])

    assert "The database takes no rows under it any more.\n1 rows of user_logins carry its id.\n" in said
    assert "Within the last hour user_logins from" in said
