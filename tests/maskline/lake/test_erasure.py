"""A person who is to be forgotten leaves both copies, and a publication under way does not bring them back."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.erasure import erase_from_copy
from maskline.lake.failures import LakeConflictError
from maskline.lake.maintenance import vacuum
from maskline.postgres.connection import Connection
from tests.e2e.conftest import login
from tests.maskline.lake.copies import files_that_know, lake_table, publish, publisher, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import run

PERSON = "a6a1d27f-forget-me"


@pytest.mark.parametrize("copy", Copy)
def test_a_persons_rows_leave_and_after_a_vacuum_no_file_knows_them(
    dsn: str, keyset: Keyset, tmp_path: Path, copy: Copy
) -> None:
    theirs = login(1, user_id=PERSON, ip="192.0.2.77")
    written = write_masked(dsn, keyset, [theirs, login(2), theirs, login(3)])
    table = lake_table(tmp_path, copy)
    publish(dsn, table, keyset if copy is Copy.CLEARTEXT else None)
    table.newest().table.create_checkpoint()

    assert erase_from_copy(table, "user_id", [PERSON]) == 2

    assert rows_in(tmp_path, "message_id") == sorted([written[1], written[3]])
    marks = [PERSON, "192.0.2.77"]
    assert len(files_that_know(tmp_path, *marks)) == 1, "the file of the version before"
    vacuum(table, 0, allow_short_retention=True)
    assert files_that_know(tmp_path, *marks) == []
    assert erase_from_copy(table, "user_id", [PERSON]) == 0


def test_rows_without_an_owner_and_the_horizon_stay(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1, user_id=PERSON), login(2)])
    run(database, "UPDATE user_logins SET user_id = NULL WHERE user_id <> %s", [PERSON])
    table = lake_table(tmp_path)
    publish(dsn, table)
    horizon = table.newest().horizon

    erase_from_copy(table, "user_id", [PERSON])

    assert rows_in(tmp_path, "user_id") == [None]
    assert table.newest().horizon == horizon
    assert publish(dsn, table) == 0


def test_a_publication_that_read_a_row_before_it_was_deleted_cannot_bring_it_back(
    dsn: str, keyset: Keyset, database: Connection, tmp_path: Path
) -> None:
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, lake_table(tmp_path))
    write_masked(dsn, keyset, [login(2, user_id=PERSON), login(3)])

    def erase_meanwhile(_rows: int) -> None:
        run(database, "DELETE FROM user_logins WHERE user_id = %s", [PERSON])
        erase_from_copy(lake_table(tmp_path), "user_id", [PERSON])

    with pytest.raises(LakeConflictError):
        list(publisher(dsn, lake_table(tmp_path), retry_seconds=0).publish(erase_meanwhile))

    assert publish(dsn, lake_table(tmp_path)) == 1
    assert PERSON not in rows_in(tmp_path, "user_id")
    assert len(rows_in(tmp_path, "user_id")) == 2
