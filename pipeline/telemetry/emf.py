"""A run's metrics in CloudWatch's embedded metric format: lines of a log that CloudWatch makes metrics of.

What a container prints reaches CloudWatch Logs by the ``awslogs`` driver of ECS, or by an agent on EKS: the job itself
takes no permission and no network for it.

Source: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TextIO

import msgspec
from prometheus_client.metrics_core import Metric

from maskline.errors import ArgumentError

MAX_METRICS = 100
"""The most metrics of one line (CloudWatch's limit)."""

_NAMESPACE = re.compile(r"(?!AWS/)[A-Za-z0-9.\-_/#:]{1,255}")
_PREFIX = "maskline_"
_ONLY_WHEN_SEEN = frozenset({"reason", "column"})
"""Labels of counters that stand for many zeros; CloudWatch bills each metric that it is told of."""

_SHARE = 0.95

Labels = tuple[tuple[str, str], ...]


class EmfPublisher:
    """Prints metrics as lines, one for each set of labels, whose names are the dimensions.

    Counters are printed as what they rose by since the line before, which CloudWatch sums up. Of a histogram there are
    ``…_count`` and ``…_sum`` likewise, and ``…_p95``: what 95 of 100 values since then were at most, by the bounds of
    its buckets.

    Args:
        namespace: CloudWatch's namespace of the metrics.
        queue: The name of the queue, the dimension of what has no label.
        output: Where lines go; standard output if None.
        clock: Seconds since the epoch.

    Raises:
        ArgumentError: `namespace` is no name for one.
    """

    def __init__(
        self, namespace: str, queue: str, output: TextIO | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        if not _NAMESPACE.fullmatch(namespace):
            raise ArgumentError(f"emf_namespace {namespace!r}: give 1 to 255 letters, digits and . - _ / # : for one")
        self._namespace = namespace
        self._unlabeled: Labels = (("queue", queue),)
        self._output = output
        self._clock = clock
        self._before: dict[tuple[str, Labels], float] = {}

    def __call__(self, metrics: Iterable[Metric]) -> None:
        """Print metrics.

        Args:
            metrics: Those of a run at one moment.
        """
        values: dict[Labels, dict[str, tuple[float, str]]] = {}
        for metric in metrics:
            if metric.name.startswith(_PREFIX) and metric.name != f"{_PREFIX}build_info":
                for name, labels, value in self._values(metric):
                    values.setdefault(labels or self._unlabeled, {})[name] = (float(value), _unit(metric.name, name))
        timestamp = round(self._clock() * 1000)
        output = self._output or sys.stdout
        for labels, named in sorted(values.items()):
            items = list(named.items())
            for start in range(0, len(items), MAX_METRICS):
                output.write(self._line(timestamp, dict(labels), dict(items[start : start + MAX_METRICS])))
        output.flush()

    def _line(self, timestamp: int, labels: Mapping[str, str], named: Mapping[str, tuple[float, str]]) -> str:
        metrics = [{"Name": name, "Unit": unit} for name, (_, unit) in named.items()]
        directive = {"Namespace": self._namespace, "Dimensions": [list(labels)], "Metrics": metrics}
        line = {
            "_aws": {"Timestamp": timestamp, "CloudWatchMetrics": [directive]},
            **labels,
            **{name: value for name, (value, _) in named.items()},
        }
        return msgspec.json.encode(line).decode() + "\n"

    def _values(self, metric: Metric) -> Iterable[tuple[str, Labels, float]]:
        buckets: dict[Labels, list[tuple[float, float]]] = {}
        for sample in metric.samples:
            bound = sample.labels.get("le")
            labels = tuple(sorted((name, text) for name, text in sample.labels.items() if name != "le" and text))
            if metric.type == "gauge":
                yield sample.name, labels, sample.value
            elif bound is not None:
                rose = self._rise(f"{sample.name}:{bound}", labels, sample.value)
                buckets.setdefault(labels, []).append((float(bound), rose))
            else:
                rose = self._rise(sample.name, labels, sample.value)
                if rose or not _ONLY_WHEN_SEEN.intersection(sample.labels):
                    yield sample.name.removesuffix("_total"), labels, rose
        for labels, rises in buckets.items():
            percentile = _percentile(rises)
            if percentile is not None:
                yield f"{metric.name}_p95", labels, percentile

    def _rise(self, name: str, labels: Labels, value: float) -> float:
        before = self._before.get((name, labels), 0.0)
        self._before[name, labels] = value
        return value - before


def _percentile(rises: Iterable[tuple[float, float]]) -> float | None:
    in_order = sorted(rises)
    count = in_order[-1][1]
    if not count:
        return None
    finite = [bound for bound, _ in in_order[:-1]]
    return next((bound for bound, up_to in in_order if up_to >= _SHARE * count and bound in finite), finite[-1])


def _unit(metric: str, name: str) -> str:
    is_time = metric.endswith("_seconds") or metric == f"{_PREFIX}seconds_since_progress"
    if is_time and not name.endswith("_count"):
        return "Seconds"
    return "None" if name == f"{_PREFIX}ready" else "Count"
