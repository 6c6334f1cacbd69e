"""A run's metrics by OpenTelemetry's protocol (OTLP over HTTP), sent by its own library.

Headers, certificates, compression and time-outs are said by the library's variables, ``OTEL_EXPORTER_OTLP_HEADERS`` and
the like; attributes of the resource by ``OTEL_RESOURCE_ATTRIBUTES``.

Source: https://opentelemetry.io/docs/specs/otel/metrics/data-model/ and, of how Prometheus' metrics become these,
https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Iterable, Sequence

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import export
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

from maskline import __version__
from maskline.errors import ArgumentError, UnavailableError

Labels = tuple[tuple[str, str], ...]


class OtlpPublisher:
    """Sends metrics to a collector. Counters and histograms are cumulative since this object was made.

    Args:
        endpoint: The URL that takes metrics, ``http://collector:4318/v1/metrics`` say.
        clock: Nanoseconds since the epoch.

    Raises:
        ArgumentError: The endpoint is no URL.
    """

    def __init__(self, endpoint: str, clock: Callable[[], int] = time.time_ns) -> None:
        if not endpoint.startswith(("http://", "https://")):
            raise ArgumentError(f"otlp_endpoint {endpoint!r}: give a URL like http://collector:4318/v1/metrics")
        # It logs each try that fails as an error; `Publishing` says once that metrics were not sent.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = OTLPMetricExporter(endpoint=endpoint)
        self._clock = clock
        self._began_at = clock()
        host = socket.gethostname()
        self._resource = Resource.create(
            {
                "service.name": "maskline",
                "service.version": __version__,
                "service.instance.id": f"{host}:{os.getpid()}",
                "host.name": host,
            }
        )
        self._scope = InstrumentationScope("maskline", __version__)

    def __call__(self, metrics: Iterable[Metric]) -> None:
        """Send metrics.

        Args:
            metrics: Those of a run at one moment.

        Raises:
            UnavailableError: The collector did not take them.
        """
        now = self._clock()
        converted = [self._converted(metric, now) for metric in metrics if metric.samples]
        scope_metrics = export.ScopeMetrics(self._scope, converted, "")
        data = export.MetricsData([export.ResourceMetrics(self._resource, [scope_metrics], "")])
        if self._exporter.export(data) is not export.MetricExportResult.SUCCESS:
            raise UnavailableError("otlp_endpoint: the collector did not take the metrics")

    def _converted(self, metric: Metric, now: int) -> export.Metric:
        unit = "s" if metric.name.endswith("_seconds") else ""
        return export.Metric(metric.name, metric.documentation, unit, self._data(metric, now))

    def _data(self, metric: Metric, now: int) -> export.Sum | export.Gauge | export.Histogram:
        cumulative = export.AggregationTemporality.CUMULATIVE
        if metric.type == "histogram":
            return export.Histogram(self._histogram_points(metric.samples, now), cumulative)
        points = [
            export.NumberDataPoint(dict(sample.labels), self._began_at, now, float(sample.value))
            for sample in metric.samples
            if not sample.name.endswith("_created")
        ]
        return export.Sum(points, cumulative, is_monotonic=True) if metric.type == "counter" else export.Gauge(points)

    def _histogram_points(self, samples: Sequence[Sample], now: int) -> list[export.HistogramDataPoint]:
        buckets: dict[Labels, list[tuple[float, int]]] = {}
        sums: dict[Labels, float] = {}
        for sample in samples:
            labels = tuple(sorted((name, text) for name, text in sample.labels.items() if name != "le"))
            if "le" in sample.labels:
                buckets.setdefault(labels, []).append((float(sample.labels["le"]), int(sample.value)))
            elif sample.name.endswith("_sum"):
                sums[labels] = sample.value
        points = []
        for labels, up_to in buckets.items():
            bounds, cumulative = zip(*sorted(up_to), strict=True)
            points.append(
                export.HistogramDataPoint(
                    attributes=dict(labels),
                    start_time_unix_nano=self._began_at,
                    time_unix_nano=now,
                    count=cumulative[-1],
                    sum=sums.get(labels, 0.0),
                    bucket_counts=[count - before for before, count in zip((0, *cumulative), cumulative, strict=False)],
                    explicit_bounds=bounds[:-1],
                    min=None,  # no histogram of Prometheus knows them, and the protocol can leave them out
                    max=None,
                )
            )
        return points
