"""What ``--http_port`` starts: the metrics, the probes and the page of a run, on one port."""

from __future__ import annotations

import contextlib
import socket

import msgspec
from prometheus_client.exposition import choose_encoder

from maskline import __version__
from maskline.pipeline.http.samples import SampleRing
from maskline.pipeline.http.server import Answer, HttpServer
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.telemetry.job_metrics import JobMetrics

JSON = "application/json"


class HttpMonitor:
    """Serves a job's metrics, probes and page while the ``with`` block runs.

    =============  =========================================================================================
    ``/``          a page for people: rates, lag, rejections, retries and what is in flight
    ``/metrics``   for Prometheus
    ``/live``      503 where the run has made no progress for `stall_seconds`
    ``/ready``     503 where queue, database or keyset has not answered recently
    ``/samples``   what the page shows, as JSON
    =============  =========================================================================================

    None of them waits for anything outside this process, and none holds personal data.

    Args:
        job: The job.
        metrics: What is known of it.
        host: The address to listen at.
        port: The port, or 0 for one that is free.
        processes: How many processes share the work.

    Raises:
        UsageError: The port cannot be listened at.
    """

    def __init__(self, job: JobSettings, metrics: JobMetrics, host: str, port: int, processes: int = 1) -> None:
        self._about = {
            "stream": job.stream.name,
            "queue": job.queue.name,
            "host": socket.gethostname(),
            "processes": processes,
            "version": __version__,
        }
        self._liveness = metrics.liveness
        self._readiness = metrics.readiness
        self._registry = metrics.registry
        self._ring = SampleRing(metrics.state, metrics.depth.depth)
        self._server = HttpServer(
            host,
            port,
            {
                "/metrics": self._metrics,
                "/live": self._live,
                "/ready": self._ready,
                "/samples": self._samples,
            },
        )
        self.url = self._server.url

    def __enter__(self) -> HttpMonitor:
        """Start serving."""
        with contextlib.ExitStack() as stack:
            for each in (self._ring, self._server):
                stack.enter_context(each)
            self._running = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop serving, and free the port."""
        self._running.close()

    def _metrics(self, accept: str) -> Answer:
        try:
            # What is asked for is repeated in the answer's own headers.
            encode, media_type = choose_encoder(accept if accept.isprintable() else "")
        except TypeError:  # the library's, for a version that is no number
            encode, media_type = choose_encoder("")
        return Answer(encode(self._registry), media_type)

    def _live(self, _accept: str) -> Answer:
        return _json(self._live_status(), 200 if self._liveness.is_live() else 503)

    def _live_status(self) -> dict[str, object]:
        return {
            "live": self._liveness.is_live(),
            "seconds_since_progress": round(self._liveness.seconds_since_progress(), 1),
            "stall_seconds": self._liveness.stall_seconds,
        }

    def _ready(self, _accept: str) -> Answer:
        return _json(self._readiness.status(), 200 if self._readiness.is_ready() else 503)

    def _samples(self, _accept: str) -> Answer:
        samples = self._ring.samples()
        columns = {name: [getattr(sample, name) for sample in samples] for name in samples[0].__struct_fields__}
        return _json(
            {"about": self._about, "live": self._live_status(), "ready": self._readiness.status(), "samples": columns}
        )


def _json(value: object, status: int = 200) -> Answer:
    return Answer(msgspec.json.encode(value), JSON, status)
