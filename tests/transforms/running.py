"""Running a small pipeline in this process, and looking at what came out of it and what it counted."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from apache_beam.metrics import MetricsFilter
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.test_pipeline import TestPipeline

TestPipeline.__test__ = False  # it is no test, whatever its name

_collected: dict[str, list[Any]] = {}


class Collect(beam.PTransform):
    """Keeps every element in `elements` as soon as it comes, of a pipeline that fails or never ends, too.

    ``assert_that`` sees nothing behind an endless source, for it groups by key.
    """

    def __init__(self) -> None:
        super().__init__()
        self._name = uuid.uuid4().hex
        _collected[self._name] = []

    @property
    def elements(self) -> list[Any]:
        """What came so far."""
        return _collected[self._name]

    def expand(self, elements: beam.PCollection[Any]) -> beam.PCollection[Any]:
        """Keep each element, and pass it on."""
        return elements | beam.ParDo(_Keep(self._name))


class _Keep(beam.DoFn):
    def __init__(self, name: str) -> None:
        self._name = name

    def process(self, element: Any) -> Iterator[Any]:
        _collected[self._name].append(element)
        yield element


def a_pipeline() -> TestPipeline:
    """Return an empty pipeline that streams in this process."""
    return TestPipeline(runner="FnApiRunner", options=PipelineOptions(streaming=True))


class Measured:
    """What a pipeline counted, by the names of the job's metrics."""

    counters: dict[str, int]
    """Those that count anything, without what distributions count of themselves."""
    distributions: dict[str, tuple[int, int, int, int]]
    """Count, sum, least and most."""


@contextlib.contextmanager
def measured_pipeline() -> Iterator[tuple[TestPipeline, Measured]]:
    """Run the pipeline that the block builds, and then fill in what it counted."""
    pipeline, measured = a_pipeline(), Measured()
    yield pipeline, measured
    result = pipeline.run()
    result.wait_until_finish()
    metrics = result.metrics().query(MetricsFilter().with_namespace("maskline"))
    counts = {counter.key.metric.name: counter.result for counter in metrics["counters"]}
    measured.counters = {
        name: count for name, count in counts.items() if count and not name.endswith(("_sum", "_count"))
    }
    measured.distributions = {
        distribution.key.metric.name: (
            distribution.result.count,
            distribution.result.sum,
            distribution.result.min,
            distribution.result.max,
        )
        for distribution in metrics["distributions"]
    }
