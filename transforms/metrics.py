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
        branch: What to put before the name where several branches of one graph count the same. Flink fuses them into
            one operator, and there a metric is known by its name alone. The tally counts all branches together.
    """

    def __init__(self, name: str, branch: str = "") -> None:
        self._name = name
        self._metric = Metrics.counter(NAMESPACE, branch_metric(name, branch))

    def declare(self) -> None:
        """Have it exist before it counts: an alert sees a rise from 0, and none from nothing to 1."""
        self._metric.inc(0)

    def add(self, amount: int = 1) -> None:
        """Add to it; nothing happens for 0."""
        if amount:
            self._metric.inc(amount)
            TALLY.add(self._name, amount)


class JobDistribution:
    """A Beam distribution whose latest value the tally keeps, and two counters, ``NAME_sum`` and ``NAME_count``.

    Flink hands a distribution to no reporter but as 0 (apache/beam#20635); the mean over any time is what the sum rose
    by, divided by what the count rose by.

    Args:
        name: Its name in the namespace ``maskline``.
        branch: As for a `JobCounter`.
    """

    def __init__(self, name: str, branch: str = "") -> None:
        self._name = name
        full_name = branch_metric(name, branch)
        self._metric = Metrics.distribution(NAMESPACE, full_name)
        self._sum = Metrics.counter(NAMESPACE, f"{full_name}_sum")
        self._count = Metrics.counter(NAMESPACE, f"{full_name}_count")

    def update(self, *values: int) -> None:
        """Add values to it."""
        if not values:
            return
        for value in values:
            self._metric.update(value)
        self._sum.inc(sum(values))
        self._count.inc(len(values))
        TALLY.observe(self._name, values[-1])


def branch_metric(name: str, branch: str) -> str:
    """Return the name of a branch's own metric."""
    return f"{branch}_{name}" if branch else name


RECEIVED = JobCounter("received")
MASKED = JobCounter("masked")
EXTRA_FIELDS = JobCounter("extra_fields")
WRITTEN = JobCounter("written")
END_TO_END_LATENCY_MILLISECONDS = JobDistribution("end_to_end_latency_milliseconds")


def rejected_for(reason: str, branch: str = "") -> JobCounter:
    """Return the counter of the messages rejected for one reason."""
    return JobCounter(f"rejected_{reason}", branch)
