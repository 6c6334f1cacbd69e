"""What is unusual in the rows of a copy's table without stopping anything, printed."""

from __future__ import annotations

from maskline.lake.row_batches import Oddities
from maskline.pipeline.printing import echo


def echo_oddities(oddities: Oddities) -> None:
    """Print how many rows are older than the job, and which values the lake cannot hold.

    Args:
        oddities: Those of a publication or a comparison.
    """
    if oddities.older_rows:
        echo(
            f"  {oddities.older_rows:,} rows name no key, so they are older than the job; what no key of the keyset "
            "brings back in them stays as it is."
        )
    for column, count in sorted(oddities.not_held.items()):
        echo(f"  {count:,} values of {column} cannot be held in the lake, infinity say, and are NULL there.")
    for row in oddities.rows:
        echo(f"    {row}")
