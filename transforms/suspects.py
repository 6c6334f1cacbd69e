"""Counting what looks like personal data in columns that are not masked, in a sample of the rows."""

from __future__ import annotations

from collections.abc import Sequence

from maskline.streams.stream import StreamDefinition
from maskline.streams.suspects import SuspectColumns
from maskline.transforms.metrics import JobCounter
from maskline.transforms.run_context import RunContext

ROWS_PER_LOOK = 1_000
"""One row in so many is looked at: a look takes 0.1 ms or more, twice as long as masking a row."""

SUSPECT_PREFIX = "suspect_pii_"


class SuspectPersonalData:
    """Looks for personal data in the columns of a row that are not masked, and counts by column what it finds.

    Give it the first row of each bundle, and then every `ROWS_PER_LOOK`-th. So a busy job looks at one row in about a
    thousand, and a job with few messages, whose bundles are small, at most of them. A count says how often something
    was found in this sample. If it rises, a column leaks; how much, it does not say.

    *Guarantee*: no value is kept, and none reaches a log.

    Args:
        streams: The streams whose rows it is given.
        context: The run.
    """

    def __init__(self, streams: Sequence[StreamDefinition], context: RunContext) -> None:
        self._context = context
        self._columns = {stream.name: SuspectColumns(stream) for stream in streams}
        self._counters = {
            (stream, column): JobCounter(_suspect_metric(stream, column), context)
            for stream, columns in self._columns.items()
            for column in columns.names
        }
        self._is_declared = False

    def declare(self) -> None:
        """Report 0 for each column, once, so that its count exists before anything is found."""
        if self._is_declared:
            return
        self._is_declared = True
        for (stream, column), counter in self._counters.items():
            counter.declare()
            self._context.tally.add(_suspect_metric(stream, column), 0)

    def look_at(self, stream: str, values: Sequence[object]) -> None:
        """Look at a row.

        Args:
            stream: The name of its stream.
            values: Its values in the order of the stream's columns.
        """
        for column in self._columns[stream].found_in(values):
            self._counters[stream, column].add()


def _suspect_metric(stream: str, column: str) -> str:
    """Return the name of the count of a column."""
    return f"{SUSPECT_PREFIX}{stream}.{column}"
