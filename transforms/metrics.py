"""The job's metrics: each is a Beam metric, for every runner, and is counted in the tally of the run as well.

Source: https://beam.apache.org/documentation/programming-guide/#metrics
"""

from __future__ import annotations

from apache_beam.metrics import Metrics
from apache_beam.metrics.metricbase import Counter

from maskline.streams.stream_set import NO_STREAM
from maskline.transforms.run_context import RunContext

NAMESPACE = "maskline"

REJECTED_PREFIX = "rejected_"
"""What the name of the count of one reason of rejections begins with; the reason follows."""

STREAM_PREFIX = "stream:"
"""What the tally's name of a count of one stream begins with; the stream, a colon and what is counted follow."""

_NO_STREAM_METRIC = "no_stream"


class JobCounter:
    """A Beam counter that is counted in the tally of a run as well.

    Args:
        name: Its name in the namespace ``maskline``.
        context: The run.
        branch: What to put before the name where several branches of a pipeline count the same thing. Flink fuses them
            into one operator, and tells the metrics of an operator apart by their names alone. The tally counts all
            branches together.
    """

    def __init__(self, name: str, context: RunContext, branch: str = "") -> None:
        self._name = name
        self._context = context
        self._metric = Metrics.counter(NAMESPACE, branch_metric(name, branch))

    def declare(self) -> None:
        """Report 0, so that the counter exists before it counts: an alert cannot see a rise from nothing to 1."""
        self._metric.inc(0)

    def add(self, amount: int = 1) -> None:
        """Add to the counter; nothing happens for 0."""
        self.report(amount)
        self.tally(amount)

    def report(self, amount: int) -> None:
        """Add to Beam's counter alone, in the thread of a bundle: Beam leaves out what other threads count."""
        if amount:
            self._metric.inc(amount)

    def tally(self, amount: int) -> None:
        """Add to the tally alone, in any thread."""
        if amount:
            self._context.tally.add(self._name, amount)


class StreamCounter:
    """A Beam counter for each stream, ``stream_NAME_COUNT``, that is counted in the tally of a run as well.

    Args:
        name: What is counted.
        context: The run.
        branch: As for a `JobCounter`.
    """

    def __init__(self, name: str, context: RunContext, branch: str = "") -> None:
        self._name = name
        self._context = context
        self._branch = branch
        self._metrics: dict[str, Counter] = {}

    def add(self, stream: str, amount: int) -> None:
        """Add to the count of a stream.

        Args:
            stream: The stream's name, or `NO_STREAM`.
            amount: How much; nothing happens for 0.
        """
        if not amount:
            return
        if stream not in self._metrics:
            named = _NO_STREAM_METRIC if stream == NO_STREAM else stream
            name = branch_metric(f"stream_{named}_{self._name}", self._branch)
            self._metrics[stream] = Metrics.counter(NAMESPACE, name)
        self._metrics[stream].inc(amount)
        self._context.tally.add(f"{STREAM_PREFIX}{stream}:{self._name}", amount)


class JobDistribution:
    """A Beam distribution with two counters, ``NAME_sum`` and ``NAME_count``; its histogram is in the tally of a run.

    Flink reports a distribution as 0 (apache/beam#20635), hence the counters: the mean over any time is the rise of the
    sum divided by the rise of the count.

    Args:
        name: Its name in the namespace ``maskline``.
        context: The run.
        branch: As for a `JobCounter`.
    """

    def __init__(self, name: str, context: RunContext, branch: str = "") -> None:
        self._name = name
        self._context = context
        full_name = branch_metric(name, branch)
        self._metric = Metrics.distribution(NAMESPACE, full_name)
        self._sum = Metrics.counter(NAMESPACE, f"{full_name}_sum")
        self._count = Metrics.counter(NAMESPACE, f"{full_name}_count")

    def update(self, *values: int) -> None:
        """Add values to the distribution."""
        if not values:
            return
        for value in values:
            self._metric.update(value)
        self._sum.inc(sum(values))
        self._count.inc(len(values))
        self._context.tally.observe(self._name, values)


def rejected_metric(reason: str) -> str:
    """Return the name of the count of rejections for a reason."""
    return f"{REJECTED_PREFIX}{reason}"


def branch_metric(name: str, branch: str) -> str:
    """Return the name of a branch's own metric."""
    return f"{branch}_{name}" if branch else name
