"""Replacing some files of a copy by others in one commit, so that no reader sees half of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from maskline.lake.files import FileSize
from maskline.lake.table import DataFile, LakeVersion

Change = Callable[[pa.RecordBatch], pa.RecordBatch]
"""Returns the rows that take the place of others: some of them, or changed ones."""

logger = logging.getLogger(__name__)


def rewrite(version: LakeVersion, files: Sequence[DataFile], change: Change, purpose: dict[str, Any]) -> None:
    """Make the next version of a copy, with some files written anew. The horizon stays.

    A commit is made where there are no files, too: it keeps a publication that read its rows before from following.

    Args:
        version: The newest version.
        files: The files whose rows change.
        change: What takes the place of their rows.
        purpose: What it is for, in a word as ``what``, for the table's history; values of rows have no place in it.

    Raises:
        LakeConflictError: There is a newer version already, and this one was not made.
        LakeError: These credentials may not do that.
        LakeUnavailableError: The store does not answer. The version may have been made or not.
    """
    writer = version.file_writer(FileSize())
    what, copy = purpose["what"], version.copy.value
    try:
        for file in files:
            for batch in version.read(file):
                changed = change(batch)
                if changed.num_rows:
                    writer.write(file.day, changed)
                    logger.debug("%s: wrote %s", what, copy)
        added = writer.finish()
        logger.debug("%s: closed %s", what, copy)
    except BaseException:
        writer.abandon()
        raise
    version.commit(added, files, version.horizon, purpose)
    logger.debug("%s: committed %s", what, copy)
