"""A run's metrics for Prometheus, read from its state at the moment when they are asked for.

Source: https://prometheus.io/docs/instrumenting/writing_clientlibs/ and https://prometheus.io/docs/practices/naming/
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from maskline import __version__
from maskline.pipeline.http.liveness import Liveness
from maskline.pipeline.http.readiness import Readiness
from maskline.pipeline.run_state import RunState
from maskline.pipeline.summary import RunCounts, StreamCounts
from maskline.records import Reason
from maskline.sqs.client import QueueDepth
from maskline.streams.stream_set import NO_STREAM
from maskline.transforms.tally import HISTOGRAM_BOUNDS, Histogram

_COUNTERS = {
    "received": ("received", "Messages received; one that is delivered twice counts twice."),
    "duplicates": ("duplicates", "Messages whose row or rejection was there before."),
    "suppressed": ("suppressed", "Messages of persons who were erased after they were sent, which became no row."),
    "deleted": ("deleted", "Messages deleted from the queue."),
    "delete_failures": ("delete_failures", "Messages that could not be deleted, and come back."),
    "db_retries": ("database_retries", "Times that a micro-batch was tried again, for Postgres was not available."),
    "extra_fields": ("extra_fields", "Fields that the stream does not know, ignored."),
    "left": ("left", "Times that a message was left in the queue, for no stream takes it."),
    "invalid_values": ("invalid_values", "Values without a normal form in their domain, masked as they are."),
}
"""The metric of each count, and what it means."""

_MILLISECONDS = 1000
_HISTOGRAMS = {
    "batch_size": ("batch_size_messages", 1, "Messages of each micro-batch that was committed."),
    "commit_milliseconds": ("commit_seconds", _MILLISECONDS, "How long the successful statements of a commit took."),
    "end_to_end_latency_milliseconds": (
        "end_to_end_latency_seconds",
        _MILLISECONDS,
        "From when the queue accepted a message to the commit of its row.",
    ),
}
"""The metric of each distribution, how many of the distribution's units its own unit has, and what it means."""


class RunCollector(Collector):
    """Reads the metrics of a run. It holds no personal data: counts, times and names of parts are all there is.

    Args:
        streams: The names of the streams. What is counted of each has its name for a label; what is counted of the
            queue's messages, whosever they are, has all of them.
        queue: The name of the queue.
        state: Returns the state of the run.
        depth: Returns the depth of the queue, or None where it has not answered recently.
        liveness: Whether the run makes progress.
        readiness: Whether the parts outside answered recently.
    """

    def __init__(
        self,
        streams: Sequence[str],
        queue: str,
        state: Callable[[], RunState],
        depth: Callable[[], QueueDepth | None],
        liveness: Liveness,
        readiness: Readiness,
    ) -> None:
        self._streams = streams
        self._stream = ",".join(streams)
        self._queue = queue
        self._state = state
        self._depth = depth
        self._liveness = liveness
        self._readiness = readiness

    def collect(self) -> Iterator[Metric]:
        """Return all metrics."""
        state = self._state()
        yield _build_info()
        yield from self._counters(state)
        yield from self._histograms(state)
        yield from self._gauges(state)

    def _counters(self, state: RunState) -> Iterator[Metric]:
        for name, (metric, meaning) in _COUNTERS.items():
            counter = CounterMetricFamily(f"maskline_{metric}", meaning, labels=["stream"])
            counter.add_metric([self._stream], getattr(state.counts, name))
            yield counter
        written = CounterMetricFamily("maskline_written", "Rows inserted.", labels=["stream"])
        rejected = CounterMetricFamily("maskline_rejected", "Messages rejected.", labels=["stream", "reason"])
        found = self._of_streams(state.counts)
        # Each stream and reason from 0 on: an alert sees a rise from 0, and none from nothing to 1.
        for stream in sorted({*self._streams, *found}):
            counts = found.get(stream, StreamCounts())
            if stream != NO_STREAM:
                written.add_metric([stream], counts.written)
            for reason in sorted({*Reason, *counts.rejected_by_reason}):
                rejected.add_metric([stream, reason], counts.rejected_by_reason.get(reason, 0))
        yield written
        yield rejected
        suspects = CounterMetricFamily(
            "maskline_suspect_pii",
            "Rows of a sample whose column, though in clear, held what looks like personal data.",
            labels=["stream", "column"],
        )
        for name, count in state.counts.suspect_pii.items():
            suspects.add_metric(name.split("."), count)
        yield suspects

    def _of_streams(self, counts: RunCounts) -> Mapping[str, StreamCounts]:
        if len(self._streams) > 1:
            return counts.streams
        return {self._stream: StreamCounts(counts.written, counts.rejected, counts.rejected_by_reason)}

    def _histograms(self, state: RunState) -> Iterator[Metric]:
        for name, (metric, units, meaning) in _HISTOGRAMS.items():
            histogram = state.histograms.get(name, Histogram())
            buckets = [
                *(
                    (str(bound / units), float(up_to))
                    for bound, up_to in zip(HISTOGRAM_BOUNDS, histogram.up_to, strict=True)
                ),
                ("+Inf", float(histogram.count)),
            ]
            family = HistogramMetricFamily(f"maskline_{metric}", meaning, labels=["stream"])
            family.add_metric([self._stream], buckets, histogram.total / units)
            yield family

    def _gauges(self, state: RunState) -> Iterator[Metric]:
        depth = self._depth()
        if depth is not None:
            messages = GaugeMetricFamily(
                "maskline_queue_messages",
                "Messages in the queue, approximately, as SQS says.",
                labels=["queue", "state"],
            )
            for name in ("visible", "in_flight", "delayed"):
                messages.add_metric([self._queue, name], getattr(depth, name))
            yield messages
        if state.oldest_message_seconds is not None:
            yield self._of_queue(
                "maskline_oldest_message_age_seconds",
                "About how old the oldest message of the queue is: the greatest age at which one was received in the "
                "last 30 s, growing while nothing is received after it. Exact is CloudWatch's alone.",
                state.oldest_message_seconds,
            )
        yield self._of_queue(
            "maskline_in_flight_messages", "Messages this job has received and not deleted yet.", state.in_flight
        )
        yield GaugeMetricFamily(
            "maskline_database_connections", "Connections to Postgres that the job holds open.", state.connections
        )
        yield GaugeMetricFamily(
            "maskline_seconds_since_progress",
            "Since a message was received, committed or deleted, or a poll came back empty.",
            self._liveness.seconds_since_progress(),
        )
        ready = GaugeMetricFamily("maskline_ready", "Whether a part outside answered recently.", labels=["part"])
        for part, status in self._readiness.status().items():
            ready.add_metric([part], status.is_ready)
        yield ready

    def _of_queue(self, name: str, meaning: str, value: float) -> Metric:
        gauge = GaugeMetricFamily(name, meaning, labels=["queue"])
        gauge.add_metric([self._queue], value)
        return gauge


def _build_info() -> Metric:
    info = GaugeMetricFamily("maskline_build_info", "What runs.", labels=["version", "beam", "tink"])
    versions = (importlib.metadata.version(name) for name in ("apache-beam", "tink"))
    info.add_metric([__version__, *versions], 1)
    return info
