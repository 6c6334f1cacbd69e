"""Forgetting a person in a copy of the lake.

The rows leave the newest version at once. Earlier versions, and files that no version names, keep them until
`maskline.lake.maintenance` removes those. Nothing that stays says who the person was: a commit names files only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute

from maskline.lake.rewrite import rewrite
from maskline.lake.table import DataFile, LakeTable

logger = logging.getLogger(__name__)


def erase_from_copy(
    table: LakeTable, column: str, person: str, record: Callable[[int], None] = lambda _rows: None
) -> int:
    """Remove a person's rows from a copy, and return how many there were.

    It makes a new version in any case: so a publication that read a row before it was deleted cannot bring it back.

    Args:
        table: The copy.
        column: The column that says whose a row is.
        person: The person.
        record: Enters into a log how many rows are going to be removed; called before they are, if there are any.

    Raises:
        LakeConflictError: The copy changed meanwhile, and nothing was done.
        LakeError: The copy is not there, or may not be read or written.
        LakeUnavailableError: The store does not answer.
    """

    def is_theirs(batch: pa.RecordBatch) -> pa.Array:
        return pa.compute.fill_null(pa.compute.equal(batch.column(column), person), False)

    version = table.newest()
    logger.debug("erase: opened %s", table.copy.value)
    rows: dict[DataFile, int] = {
        file: sum(batch.filter(is_theirs(batch)).num_rows for batch in version.read(file, only=[column]))
        for file in version.files()
    }
    removed = sum(rows.values())
    if removed:
        record(removed)
    logger.debug("erase: recorded %s", table.copy.value)
    rewrite(
        version,
        [file for file, count in rows.items() if count],
        lambda batch: batch.filter(pa.compute.invert(is_theirs(batch))),
        {"what": "erase"},
    )
    return removed
