"""After a rotation the opaque copy follows the table, and no reader sees half of it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from maskline.keys import open_keyset
from maskline.lake.failures import LakeConflictError
from maskline.lake.remask import LakeRemasker
from maskline.lake.table import LakeTable
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import Connection
from tests.e2e.conftest import login
from tests.maskline.keysets import OTHER_KEY, aes_siv_key, opened, stored
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import rows_of, run

OLD = opened(7)
ROTATED = open_keyset(stored(aes_siv_key(7), aes_siv_key(8, OTHER_KEY), primary=8))


def published(dsn: str, database: Connection, place: Path) -> LakeTable:
    """Return an opaque copy with rows of an old key on two days, and one of the new."""
    write_masked(dsn, OLD, [login(1), login(2), login(1, ip=None)])
    run(database, "UPDATE user_logins SET create_date = create_date - 1 WHERE masked_ip IS NULL")
    write_masked(dsn, ROTATED, [login(1)])
    table = lake_table(place)
    publish(dsn, table)
    return table


def test_equal_values_have_equal_tokens_again_and_they_are_those_of_the_table(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    table = published(dsn, database, tmp_path)
    before = table.newest()

    result = LakeRemasker(table, ROTATED).remask()

    assert (result.rows, result.left) == (3, 0)
    masker = Masker(ROTATED)
    mine = masker.mask("198.51.0.1", "user_logins.masked_ip")
    other = masker.mask("198.51.0.2", "user_logins.masked_ip")
    assert rows_in(tmp_path, "masked_ip", "key_id") == sorted([(mine, 8), (mine, 8), (other, 8), (None, 8)], key=str)
    assert (table.newest().number, table.newest().horizon) == (before.number + 1, before.horizon)
    assert LakeRemasker(table, ROTATED).remask().rows == 0
    assert rows_of(database, "SELECT count(DISTINCT key_id) FROM user_logins") == [(2,)]


def test_a_row_that_cannot_be_renewed_stays_whole_and_is_named(dsn: str, database: Connection, tmp_path: Path) -> None:
    (message_id,) = write_masked(dsn, OLD, [login(1)])
    run(database, "UPDATE user_logins SET masked_device_id = 'AQAAAAExxxxxxxxxxxxxxxxxxxxx'")
    table = lake_table(tmp_path)
    publish(dsn, table)
    before = rows_in(tmp_path)

    result = LakeRemasker(table, ROTATED).remask()

    assert (result.rows, result.left) == (0, 1)
    assert result.named[0].startswith(f"row {message_id} stays as it is: masked_device_id was made with key 1")
    assert rows_in(tmp_path) == before


def test_rows_of_keys_that_the_keyset_does_not_hold_are_left_and_counted_by_key(
    dsn: str, database: Connection, tmp_path: Path
) -> None:
    table = published(dsn, database, tmp_path)
    run(database, "INSERT INTO user_logins (masked_ip) VALUES ('masked elsewhere')")
    publish(dsn, table)

    result = LakeRemasker(table, opened(8, OTHER_KEY)).remask()

    assert (result.rows, result.left, result.unreadable, result.older_rows) == (0, 3, {7: 3}, 1)


def test_a_publication_in_between_makes_it_begin_anew(dsn: str, database: Connection, tmp_path: Path) -> None:
    table = published(dsn, database, tmp_path)

    class Interrupted(LakeRemasker):
        def _remasked_values(self, batch: pa.RecordBatch) -> pa.RecordBatch:
            publish(dsn, lake_table(tmp_path))
            return super()._remasked_values(batch)

    write_masked(dsn, ROTATED, [login(9)])

    with pytest.raises(LakeConflictError):
        Interrupted(table, ROTATED).remask()

    assert len(rows_in(tmp_path, "message_id")) == 5
    assert LakeRemasker(table, ROTATED).remask().rows == 3
