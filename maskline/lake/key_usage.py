"""Which keys the rows of an opaque copy were masked under."""

from __future__ import annotations

from collections import Counter

from maskline.lake.columns import KEY_ID
from maskline.lake.copies import Copy
from maskline.lake.table import LakeTable
from maskline.postgres.key_usage import KeyUsage


def copy_key_usage(table: LakeTable) -> KeyUsage:
    """Count the rows of the newest version of an opaque copy by key id. It reads that column of every file.

    Args:
        table: The opaque copy.

    Raises:
        ValueError: It is the clear copy, which has no tokens.
        LakeError: It is not there, or may not be read.
        LakeUnavailableError: The store does not answer.
    """
    if table.copy is not Copy.TOKENIZED:
        raise ValueError("only the opaque copy has tokens")
    version = table.newest()
    rows: Counter[int | None] = Counter()
    for file in version.files():
        for batch in version.read(file, only=[KEY_ID]):
            rows.update(batch.column(KEY_ID).to_pylist())
    return KeyUsage(f"{table.copy.value} copy", dict(rows))
