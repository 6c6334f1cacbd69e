"""Compacting changes no row, and vacuuming takes what nobody needs and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maskline.errors import LakeError, UsageError
from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.lake.maintenance import compact, status, vacuum
from tests.e2e.conftest import login
from tests.maskline.lake.copies import files_that_know, lake_table, publish, rows_in
from tests.maskline.postgres.masked_rows import write_masked

OLD = 1_700_000_000


def test_compacting_joins_the_files_of_a_day_and_keeps_rows_and_horizon(
    dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    table = lake_table(tmp_path, Copy.CLEARTEXT)
    for number in range(3):
        write_masked(dsn, keyset, [login(number)])
        publish(dsn, table, keyset)
    rows, horizon = rows_in(tmp_path), status(table).horizon

    assert compact(table) == (3, 1)

    assert rows_in(tmp_path) == rows
    assert (status(table).rows, status(table).files, status(table).horizon) == (3, 1, horizon)
    assert publish(dsn, table, keyset) == 0
    assert files_that_know(tmp_path / "_delta_log", "198.51.0.0", "198.51.0.2") == [], "minima and maxima"


def test_vacuuming_takes_old_files_that_no_version_needs_and_those_of_publishers_that_died(
    dsn: str, keyset: Keyset, tmp_path: Path
) -> None:
    table = lake_table(tmp_path)
    for number in range(2):
        write_masked(dsn, keyset, [login(number)])
        publish(dsn, table)
    compact(table)
    needed = {tmp_path / file.path for file in table.newest().files()}
    directory = next(iter(needed)).parent
    (directory / "part-old-orphan.zstd.parquet").write_bytes(b"of a publisher that died long ago")
    (directory / "part-new-orphan.zstd.parquet").write_bytes(b"of a publisher that is at work")
    os.utime(directory / "part-old-orphan.zstd.parquet", (OLD, OLD))

    removed = vacuum(table)

    assert [Path(path).name for path in removed] == ["part-old-orphan.zstd.parquet"]
    vacuum(table, 0, allow_short_retention=True)
    assert set(tmp_path.rglob("*.parquet")) - set((tmp_path / "_delta_log").iterdir()) == needed
    assert len(rows_in(tmp_path, "message_id")) == 2


def test_the_table_of_another_stream_within_is_not_removed(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    write_masked(dsn, keyset, [login(1)])
    table, inner = lake_table(tmp_path), lake_table(tmp_path / "orders")
    for each in (table, inner):
        publish(dsn, each)

    for dry_run in (True, False):
        with pytest.raises(LakeError, match=r"another Delta table lies in file://\S+, at orders, and would be removed"):
            vacuum(table, 0, dry_run=dry_run, allow_short_retention=True)

    assert len(rows_in(tmp_path / "orders", "message_id")) == 1


def test_a_retention_that_is_not_safe_has_to_be_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="retention_hours is 167; under 168"):
        vacuum(lake_table(tmp_path), 167)


def test_a_horizon_and_counts_outlive_checkpoints(dsn: str, keyset: Keyset, tmp_path: Path) -> None:
    table = lake_table(tmp_path)
    write_masked(dsn, keyset, [login(1)])
    publish(dsn, table)
    version = table.newest()
    version.table.create_checkpoint()
    for entry in (tmp_path / "_delta_log").glob("*.json"):
        entry.unlink()

    assert status(table) == status(lake_table(tmp_path))
    assert (status(table).rows, status(table).horizon) == (1, version.horizon)
    assert publish(dsn, table) == 0
