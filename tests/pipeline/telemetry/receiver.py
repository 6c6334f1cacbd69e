"""A collector of OpenTelemetry's, as far as a test asks it: it takes metrics over HTTP and parses them.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

from typing import Any

from tests.http_service import HttpRequest, HttpResponse, HttpService


class OtlpReceiver(HttpService):
    """Takes metrics while the ``with`` block runs.

    Attributes:
        status: The HTTP status of its answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.status = 200

    @property
    def url(self) -> str:
        """Where metrics are sent to."""
        return f"http://{self.host}/v1/metrics"

    def respond(self, request: HttpRequest) -> HttpResponse:
        """Take anything."""
        return HttpResponse(self.status)

    def resource(self) -> Any:
        """Return what the last request says, of the one resource that it is about."""
        from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

        (resource,) = ExportMetricsServiceRequest.FromString(self.requests[-1].body).resource_metrics
        return resource

    def metrics(self) -> dict[str, Any]:
        """Return the metrics of the last request by name."""
        (scope,) = self.resource().scope_metrics
        return {metric.name: metric for metric in scope.metrics}
