"""Maintenance of a copy: few large files, no unneeded files, and its status."""

from __future__ import annotations

import functools
from datetime import UTC, datetime, timedelta

import msgspec

from maskline.errors import ArgumentError, LakeError
from maskline.lake.failures import map_lake_errors
from maskline.lake.incomplete_uploads import incomplete_uploads, remove_incomplete_uploads
from maskline.lake.table import LakeTable

SAFE_RETENTION_HOURS = 7 * 24
"""As long as a reader may take, or look back."""

_LOG = "_delta_log"
"""What a Delta table keeps its versions in."""

TARGET_BYTES = 128 * 2**20


class CopyStatus(msgspec.Struct, frozen=True):
    """How a copy stands.

    Attributes:
        version: Its newest version.
        rows: How many rows it has.
        files: In how many files.
        size: Their size in bytes.
        horizon: Up to which transaction it is complete, or None where nothing was published.
    """

    version: int
    rows: int
    files: int
    size: int
    horizon: int | None


def status(table: LakeTable) -> CopyStatus:
    """Return how a copy stands.

    Args:
        table: The copy.

    Raises:
        LakeError: It is not there, or may not be read.
        LakeUnavailableError: The store does not answer.
    """
    version = table.newest()
    files = version.files()
    return CopyStatus(
        version.number, sum(f.rows for f in files), len(files), sum(f.size for f in files), version.horizon
    )


def compact(table: LakeTable) -> tuple[int, int]:
    """Join small files of a day, and return how many there were and how many there are. No row changes.

    Args:
        table: The copy.

    Raises:
        LakeError: It is not there, or may not be written.
        LakeUnavailableError: The store does not answer, or the copy changed meanwhile.
    """
    version = table.newest()
    before = len(version.files())
    with map_lake_errors(table.uri):
        version.table.optimize.compact(target_size=TARGET_BYTES, max_concurrent_tasks=1)
    return before, len(table.newest().files())


def vacuum(
    table: LakeTable,
    retention_hours: int = SAFE_RETENTION_HOURS,
    *,
    dry_run: bool = False,
    allow_short_retention: bool = False,
) -> list[str]:
    """Remove files that no version of the last hours names, those of publications that died included, finished or not.

    Args:
        table: The copy.
        retention_hours: How old a file has to be.
        dry_run: Only say which files they are.
        allow_short_retention: Take a retention that a slow reader, or a publisher that is at work, may not survive.

    Returns:
        The paths of the files.

    Raises:
        ArgumentError: The retention is too short to be safe.
        LakeError: The copy is not there, may not be written, or has another table in its place, one of another stream
            say, whose files it would remove.
        LakeUnavailableError: The store does not answer.
    """
    if retention_hours < 0 or (retention_hours < SAFE_RETENTION_HOURS and not allow_short_retention):
        raise ArgumentError(
            f"retention_hours is {retention_hours}; under {SAFE_RETENTION_HOURS} (7 days) files may go that a reader "
            "or a publisher still needs; where there is none, set allow_short_retention"
        )
    version = table.newest()
    latest = datetime.now(UTC) - timedelta(hours=retention_hours)
    incomplete = [file for file in incomplete_uploads(table.storage) if file.since <= latest]
    vacuum_table = functools.partial(
        version.table.vacuum, retention_hours=retention_hours, enforce_retention_duration=False, full=True
    )
    with map_lake_errors(table.uri):
        finished = vacuum_table(dry_run=True)
    for path in finished:
        outer, is_log, _ = path.partition(f"/{_LOG}/")
        if is_log:
            raise LakeError(
                f"lake: another Delta table lies in {table.uri}, at {outer}, and would be removed with what nobody "
                "needs; move it to a place of its own"
            )
    if not dry_run:
        with map_lake_errors(table.uri):
            finished = vacuum_table(dry_run=False)
        remove_incomplete_uploads(table.storage, incomplete)
    return [*finished, *(file.path for file in incomplete)]
