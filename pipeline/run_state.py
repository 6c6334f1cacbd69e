"""The state of a run, in one process or several, at one moment: its counts, and values that can fall again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

import msgspec

from maskline.pipeline.summary import RunCounts
from maskline.transforms.run_context import RunContext
from maskline.transforms.tally import Histogram, Tally


class RunState(msgspec.Struct, frozen=True):
    """The state of a run.

    Attributes:
        counts: The counts so far.
        histograms: The histogram of each distribution.
        in_flight: How many messages were received and not deleted yet.
        connections: How many connections to Postgres are open.
        oldest_message_seconds: About how old the oldest message of the queue is, or None where that is not known; see
            `Movement.oldest_message_seconds`.
        last_progress: When it last made progress, by `time.monotonic`, which all processes of a machine share; of
            several processes, the one that is longest without.
    """

    counts: RunCounts
    histograms: Mapping[str, Histogram] = {}
    in_flight: int = 0
    connections: int = 0
    oldest_message_seconds: float | None = None
    last_progress: float = 0.0

    @classmethod
    def of(cls, context: RunContext) -> RunState:
        """Read the state of a run in this process."""
        return cls(
            RunCounts.of(context.tally),
            context.tally.histograms(),
            context.in_flight.count(),
            context.open_connections(),
            context.movement.oldest_message_seconds(),
            context.movement.last_progress,
        )

    @classmethod
    def together(cls, states: Sequence[RunState]) -> RunState:
        """Return the combined state of several processes of a run.

        Args:
            states: That of each, of one run or more.
        """
        ages = [state.oldest_message_seconds for state in states if state.oldest_message_seconds is not None]
        names = {name for state in states for name in state.histograms}
        return cls(
            RunCounts.together([state.counts for state in states]),
            {
                name: reduce(Histogram.plus, (state.histograms.get(name, Histogram()) for state in states))
                for name in sorted(names)
            },
            sum(state.in_flight for state in states),
            sum(state.connections for state in states),
            max(ages, default=None),
            min(state.last_progress for state in states),
        )

    @classmethod
    def at_start(cls, now: float) -> RunState:
        """Return the state of a run that has done nothing yet.

        Args:
            now: The time by `time.monotonic`.
        """
        return cls(RunCounts.of(Tally()), last_progress=now)

    def at_end(self) -> RunState:
        """Return the state once the process of the run has ended: nothing is in flight, and no progress expected."""
        return msgspec.structs.replace(
            self, in_flight=0, connections=0, oldest_message_seconds=None, last_progress=math.inf
        )
