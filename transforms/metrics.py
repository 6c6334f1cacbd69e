"""The job's metrics: Beam metrics for every runner, and a tally for the process they are counted in.

Runners report metrics late or only at the end. Where the transforms run in the process that started the job
(FnApiRunner, Prism), the tally is what a live line of counts reads.

Source: https://beam.apache.org/documentation/programming-guide/#metrics
"""

from __future__ import annotations

import threading
from collections import Counter as Counts

from apache_beam.metrics import Metrics

NAMESPACE = "maskline"


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

    def reset(self) -> None:
        """Start at nothing."""
        with self._lock:
            self._counts.clear()
            self._latest.clear()


TALLY = Tally()


class JobCounter:
    """A Beam counter that the tally follows.

    Args:
        name: Its name in the namespace ``maskline``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._metric = Metrics.counter(NAMESPACE, name)

    def add(self, amount: int = 1) -> None:
        """Add to it; nothing happens for 0."""
        if amount:
            self._metric.inc(amount)
            TALLY.add(self._name, amount)


class JobDistribution:
    """A Beam distribution whose latest value the tally keeps.

    Args:
        name: Its name in the namespace ``maskline``.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._metric = Metrics.distribution(NAMESPACE, name)

    def update(self, value: int) -> None:
        """Add a value to it."""
        self._metric.update(value)
        TALLY.observe(self._name, value)


RECEIVED = JobCounter("received")
MASKED = JobCounter("masked")
EXTRA_FIELDS = JobCounter("extra_fields")
REJECTED = JobCounter("rejected")
WRITTEN = JobCounter("written")
DUPLICATES = JobCounter("duplicates")
DELETED = JobCounter("deleted")
DELETE_FAILURES = JobCounter("delete_failures")
DB_RETRIES = JobCounter("db_retries")
BATCH_SIZE = JobDistribution("batch_size")
COMMIT_MILLISECONDS = JobDistribution("commit_milliseconds")
END_TO_END_LATENCY_MILLISECONDS = JobDistribution("end_to_end_latency_milliseconds")


def rejected_for(reason: str) -> JobCounter:
    """Return the counter of the messages rejected for one reason."""
    return JobCounter(f"rejected_{reason}")
