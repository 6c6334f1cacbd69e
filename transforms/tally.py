"""The counts of a run, for a live line of them: runners report metrics late, or only at the end."""

from __future__ import annotations

import threading
from collections import Counter as Counts


class Tally:
    """Counts by name, and the last value of each distribution. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counts[str] = Counts()
        self._latest: dict[str, int] = {}

    def add(self, name: str, amount: int) -> None:
        """Add to a count."""
        with self._lock:
            self._counts[name] += amount

    def observe(self, name: str, value: int) -> None:
        """Remember the latest value of a distribution."""
        self._latest[name] = value

    def counts(self) -> Counts[str]:
        """Return a copy of all counts; a name never counted counts 0."""
        with self._lock:
            return self._counts.copy()

    def latest(self, name: str) -> int | None:
        """Return the latest value of a distribution, or None before the first."""
        return self._latest.get(name)
