"""The counts of a run as they are now: runners report their metrics late, or only at the end."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import Counter as Counts
from collections.abc import Collection, Iterable
from operator import add

import msgspec

HISTOGRAM_BOUNDS = tuple(digit * 10**power for power in range(7) for digit in (1, 2, 5))
"""The upper bounds of every histogram's buckets, 1 to 5,000,000: messages of a micro-batch, or milliseconds."""

MAX_CAUSES = 100
"""How many different causes of rejections are counted."""


class Histogram(msgspec.Struct, frozen=True):
    """The histogram of a distribution.

    Attributes:
        up_to: For each of `HISTOGRAM_BOUNDS`, how many values were no larger.
        count: How many values there were.
        total: Their sum.
    """

    up_to: tuple[int, ...] = (0,) * len(HISTOGRAM_BOUNDS)
    count: int = 0
    total: int = 0

    def with_values(self, values: Collection[int]) -> Histogram:
        """Return the histogram of these values and the earlier ones."""
        in_order = sorted(values)
        up_to = (bisect_right(in_order, bound) for bound in HISTOGRAM_BOUNDS)
        return Histogram(tuple(map(add, self.up_to, up_to)), self.count + len(in_order), self.total + sum(in_order))

    def plus(self, other: Histogram) -> Histogram:
        """Return the histogram of the values of both."""
        return Histogram(tuple(map(add, self.up_to, other.up_to)), self.count + other.count, self.total + other.total)


class Tally:
    """Counts by name, and a histogram of each distribution. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counts[str] = Counts()
        self._histograms: dict[str, Histogram] = {}
        self._causes: Counts[str] = Counts()

    def add(self, name: str, amount: int) -> None:
        """Add to a count."""
        with self._lock:
            self._counts[name] += amount

    def add_causes(self, causes: Iterable[str]) -> None:
        """Count why messages were rejected. Once there are `MAX_CAUSES` different causes, new ones are not counted.

        Args:
            causes: Reason and detail of each rejection; they name fields, and hold no values.
        """
        with self._lock:
            for cause in causes:
                if cause in self._causes or len(self._causes) < MAX_CAUSES:
                    self._causes[cause] += 1

    def causes(self) -> Counts[str]:
        """Return a copy of the counts of causes."""
        with self._lock:
            return self._causes.copy()

    def observe(self, name: str, values: Collection[int]) -> None:
        """Add values to a distribution. They are sorted, so add those of a micro-batch together.

        Args:
            name: The distribution.
            values: The values, in any order.
        """
        with self._lock:
            self._histograms[name] = self._histograms.get(name, Histogram()).with_values(values)

    def counts(self) -> Counts[str]:
        """Return a copy of all counts; a name never counted counts 0."""
        with self._lock:
            return self._counts.copy()

    def histograms(self) -> dict[str, Histogram]:
        """Return the histogram of each distribution that had a value."""
        with self._lock:
            return self._histograms.copy()
