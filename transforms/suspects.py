"""Counting what looks like personal data in columns in clear, from a sample of the rows."""

from __future__ import annotations

from collections.abc import Sequence

from maskline.streams.stream import StreamDefinition
from maskline.streams.suspects import SuspectColumns
from maskline.transforms.metrics import JobCounter
from maskline.transforms.run_context import RunContext

ROWS_PER_LOOK = 1_000
"""A look takes 0.1 ms or more, twice what masking a row does; this many rows apart nobody can measure it."""

SUSPECT_PREFIX = "suspect_pii_"


class SuspectPersonalData:
    """Looks at a row for what should not be there in clear, and counts what it finds by column.

    It is to be shown the first row of each bundle, and then every `ROWS_PER_LOOK`-th. So a busy job looks at one row in
    about a thousand, and a job with few messages, whose bundles are small, at many. A count says how often something
    was found in the sample: that it rises says that a column leaks, not how much. No value is kept, and none reaches a
    log.

    Args:
        streams: The streams whose rows it is given.
        context: The run.
    """

    def __init__(self, streams: Sequence[StreamDefinition], context: RunContext) -> None:
        self._context = context
        self._columns = {stream.name: SuspectColumns(stream) for stream in streams}
        self._counters = {
            (stream, column): JobCounter(suspect_metric(stream, column), context)
            for stream, columns in self._columns.items()
            for column in columns.names
        }
        self._is_declared = False

    def declare(self) -> None:
        """Have each column's count exist before anything is found, once: an alert sees a rise from 0."""
        if self._is_declared:
            return
        self._is_declared = True
        for (stream, column), counter in self._counters.items():
            counter.declare()
            self._context.tally.add(suspect_metric(stream, column), 0)

    def look_at(self, stream: str, values: Sequence[object]) -> None:
        """Look at a row.

        Args:
            stream: The name of its stream.
            values: Its values in the order of the stream's columns.
        """
        for column in self._columns[stream].found_in(values):
            self._counters[stream, column].add()


def suspect_metric(stream: str, column: str) -> str:
    """Return the name of the count of a column."""
    return f"{SUSPECT_PREFIX}{stream}.{column}"
