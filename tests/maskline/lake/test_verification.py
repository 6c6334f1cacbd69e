"""A copy that is not as its table is found out, and the rows that differ are named."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from maskline.errors import LakeError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.files import FileSize
from maskline.lake.rewrite import rewrite
from maskline.lake.source import RowSource
from maskline.lake.table import LakeTable
from maskline.lake.verification import DayDifference, Verification, Verifier
from maskline.masks.deterministic import Masker
from maskline.postgres.connection import Connection, connect
from tests.e2e.conftest import login
from tests.maskline.lake.copies import lake_table, publish
from tests.maskline.postgres.masked_rows import write_masked
from tests.maskline.postgres.records import run, value_of


def verify(dsn: str, table: LakeTable, keyset: Keyset | None = None) -> Verification:
    """Compare a copy with its table."""
    source = RowSource(functools.partial(connect, dsn), table.stream)
    return Verifier(source, table, Masker(keyset) if keyset else None).verify()


def test_copies_are_as_their_table_up_to_their_horizon(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    write_masked(dsn, keyset, [login(number) for number in range(30)])
    opaque, clear = lake_table(tmp_path / "opaque"), lake_table(tmp_path / "clear", Copy.CLEARTEXT)
    publish(dsn, opaque)
    publish(dsn, clear, keyset)
    write_masked(dsn, keyset, [login(31)])

    assert verify(dsn, opaque) == verify(dsn, clear, keyset) == Verification(30, 1, [])


@pytest.mark.parametrize("copy", Copy)
def test_rows_that_differ_are_named(dsn: str, keyset: Keyset, database: Connection, tmp_path: Path, copy: Copy) -> None:
    first, second, third, *_ = write_masked(dsn, keyset, [login(number) for number in range(5)])
    table = lake_table(tmp_path, copy)
    unmasking = keyset if copy is Copy.CLEARTEXT else None
    publish(dsn, table, unmasking)
    version = table.newest()
    rewrite(
        version,
        version.files(),
        lambda batch: batch.filter([message_id != first for message_id in batch.column("message_id").to_pylist()]),
        {"what": "damage"},
    )
    run(database, "DELETE FROM user_logins WHERE message_id = %s", [second])
    run(database, "UPDATE user_logins SET locale = 'XX' WHERE message_id = %s", [third])

    found = verify(dsn, table, unmasking)

    day = value_of(database, "SELECT create_date FROM user_logins LIMIT 1")
    assert found == Verification(4, 1, [DayDifference(day, 4, 4, [first], [second], [third])])


def test_every_row_that_differs_is_counted(dsn: str, keyset: Keyset, database: Connection, tmp_path: Path) -> None:
    written = write_masked(dsn, keyset, [login(number) for number in range(25)])
    table = lake_table(tmp_path)
    publish(dsn, table)
    run(database, "DELETE FROM user_logins")

    (difference,) = verify(dsn, table).differences

    assert difference.extra == sorted(written)


def test_a_row_that_is_there_twice_is_found(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    (message_id,) = write_masked(dsn, keyset, [login(1)])
    table = lake_table(tmp_path)
    publish(dsn, table)
    version = table.newest()
    writer = version.file_writer(FileSize())
    for batch in version.rows():
        writer.write(version.files()[0].day, batch)
    version.commit(writer.finish(), [], version.horizon, {})

    (difference,) = verify(dsn, table).differences

    assert (difference.in_table, difference.in_copy, difference.extra) == (1, 2, [message_id])


def test_a_copy_that_was_never_published_is_an_error(dsn: str, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="there is no Delta table; has anything been published"):
        verify(dsn, lake_table(tmp_path))
