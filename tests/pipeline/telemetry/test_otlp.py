"""Metrics by OTLP: sent by OpenTelemetry's library to a receiver that parses its protocol."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from maskline import __version__
from maskline.errors import UnavailableError
from tests.pipeline.telemetry.receiver import OtlpReceiver
from tests.pipeline.telemetry.states import counting, registry_of

pytest.importorskip("opentelemetry.exporter.otlp", reason="the extra otlp is not installed")


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver() as receiver:
        yield receiver


def attributes(point: Any) -> dict[str, str]:
    return {attribute.key: attribute.value.string_value for attribute in point.attributes}


def publish(receiver: OtlpReceiver, clock: Any = lambda: 1_769_860_800_000_000_000) -> None:
    from maskline.pipeline.telemetry.otlp import OtlpPublisher

    OtlpPublisher(receiver.url, clock)(registry_of(counting()).collect())


def test_a_collector_gets_what_prometheus_would(receiver: OtlpReceiver) -> None:
    times = iter([1_000, 61_000])

    publish(receiver, lambda: next(times))

    assert [request.path for request in receiver.requests] == ["/v1/metrics"]
    metrics = receiver.metrics()
    received = metrics["maskline_received"].sum
    assert (received.is_monotonic, received.aggregation_temporality) == (True, 2)  # cumulative
    (point,) = received.data_points
    assert (point.as_double, attributes(point)) == (10.0, {"stream": "logins"})
    assert (point.start_time_unix_nano, point.time_unix_nano) == (1_000, 61_000)
    rejected = {attributes(point)["reason"]: point.as_double for point in metrics["maskline_rejected"].sum.data_points}
    assert (rejected["not_json"], rejected["missing_field"]) == (2.0, 0.0)
    depth = {
        attributes(point)["state"]: point.as_double for point in metrics["maskline_queue_messages"].gauge.data_points
    }
    assert depth == {"visible": 7.0, "in_flight": 3.0, "delayed": 0.0}


def test_a_histogram_keeps_its_buckets(receiver: OtlpReceiver) -> None:
    publish(receiver)

    histogram = receiver.metrics()["maskline_end_to_end_latency_seconds"]
    (point,) = histogram.histogram.data_points
    assert (histogram.unit, point.count, round(point.sum, 3)) == ("s", 3, 1.534)
    assert len(point.bucket_counts) == len(point.explicit_bounds) + 1
    assert sum(point.bucket_counts) == 3
    assert list(point.explicit_bounds) == sorted(point.explicit_bounds)
    # Each value is in the bucket whose bound is the first that is no less.
    filled = {bound for bound, count in zip(point.explicit_bounds, point.bucket_counts, strict=False) if count}
    assert min(filled) >= 0.004
    assert max(filled) >= 1.5
    assert not point.HasField("min")


def test_the_resource_says_what_runs_and_what_the_environment_adds(
    receiver: OtlpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")

    publish(receiver)

    found = {attribute.key: attribute.value.string_value for attribute in receiver.resource().resource.attributes}
    assert (found["service.name"], found["service.version"]) == ("maskline", __version__)
    assert found["deployment.environment"] == "test"


def test_what_a_collector_does_not_take_is_an_error_of_this_time_alone(receiver: OtlpReceiver) -> None:
    receiver.status = 400

    with pytest.raises(UnavailableError, match="the collector did not take the metrics"):
        publish(receiver)
