"""Forgetting persons in a copy of the lake.

The rows leave the newest version at once. Earlier versions, and files that no version names, keep them until
`maskline.lake.maintenance` removes those. Nothing that stays says who the person was: a commit names files only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

import pyarrow as pa
import pyarrow.compute

from maskline.lake.rewrite import rewrite
from maskline.lake.table import DataFile, LakeTable, LakeVersion

_Match = Callable[[pa.RecordBatch], pa.Array]

logger = logging.getLogger(__name__)


def count_in_copy(table: LakeTable, column: str, values: Collection[str]) -> int:
    """Return how many rows of a copy are of some persons.

    Args:
        table: The copy.
        column: The column of the stream's table that says whose a row is.
        values: What the copy holds of the persons there, in clear or as tokens.

    Raises:
        LakeError: The copy is not there, or may not be read.
        LakeUnavailableError: The store does not answer.
    """
    name, are_theirs = _matcher(table, column, values)
    version = table.newest()
    return sum(_count(version, file, name, are_theirs) for file in version.files())


def erase_from_copy(
    table: LakeTable, column: str, values: Collection[str], record: Callable[[int], None] = lambda _rows: None
) -> int:
    """Remove the rows of some persons from a copy, and return how many there were.

    It makes a new version in any case: so a publication that read a row before it was deleted cannot bring it back.

    Args:
        table: The copy.
        column: The column of the stream's table that says whose a row is.
        values: What the copy holds of the persons there, in clear or as tokens.
        record: Enters into a log how many rows are going to be removed; called before they are, if there are any.

    Raises:
        LakeConflictError: The copy changed meanwhile, and nothing was done.
        LakeError: The copy is not there, or may not be read or written.
        LakeUnavailableError: The store does not answer.
    """
    name, are_theirs = _matcher(table, column, values)
    version = table.newest()
    logger.debug("erase: opened %s", table.copy.value)
    rows: dict[DataFile, int] = {file: _count(version, file, name, are_theirs) for file in version.files()}
    removed = sum(rows.values())
    if removed:
        record(removed)
    logger.debug("erase: recorded %s", table.copy.value)
    rewrite(
        version,
        [file for file, count in rows.items() if count],
        lambda batch: batch.filter(pa.compute.invert(are_theirs(batch))),
        {"what": "erase"},
    )
    return removed


def _count(version: LakeVersion, file: DataFile, name: str, are_theirs: _Match) -> int:
    return sum(batch.filter(are_theirs(batch)).num_rows for batch in version.read(file, only=[name]))


def _matcher(table: LakeTable, column: str, values: Collection[str]) -> tuple[str, _Match]:
    """Return the copy's own name of a column, and what says which rows of a batch are theirs."""
    (found,) = (each for each in table.columns if each.source == column)
    wanted = pa.array(sorted(values), pa.string()).cast(found.type)

    def are_theirs(batch: pa.RecordBatch) -> pa.Array:
        return pa.compute.is_in(batch.column(found.name), value_set=wanted, skip_nulls=True)

    return found.name, are_theirs
