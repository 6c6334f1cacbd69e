"""What is known of a running job: the state of its run and of the parts outside, and both as metrics."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import CollectorRegistry, ProcessCollector

from maskline.pipeline.http.collector import RunCollector
from maskline.pipeline.http.liveness import Liveness
from maskline.pipeline.http.outside_parts import DepthGauge, outside_parts
from maskline.pipeline.http.readiness import Readiness
from maskline.pipeline.job_settings import JobSettings
from maskline.pipeline.run_state import RunState

Follow = Callable[[Callable[[], RunState]], None]
"""Is told what returns the state of a run, once there is one."""


class JobMetrics:
    """Gathers the metrics of a job, and asks the parts outside while the ``with`` block runs.

    Args:
        job: The job.
        stall_seconds: How long the run may get nowhere.
        processes: How many processes share the work.

    Attributes:
        depth: The depth of the queue.
        liveness: Whether the run makes progress.
        readiness: Whether the parts outside answered recently.
        registry: All metrics, as Prometheus' library has them.

    Raises:
        ArgumentError: `stall_seconds` is out of range.
    """

    def __init__(self, job: JobSettings, stall_seconds: float, processes: int = 1) -> None:
        at_start = RunState.at_start(time.monotonic())
        self._state: Callable[[], RunState] = lambda: at_start
        self.depth = DepthGauge(job)
        self.liveness = Liveness(self.state, stall_seconds)
        self.readiness = Readiness(outside_parts(job, self.depth))
        self.registry = CollectorRegistry()
        streams = [stream.name for stream in job.streams]
        self.registry.register(
            RunCollector(streams, job.queue.name, self.state, self.depth.depth, self.liveness, self.readiness)
        )
        if processes == 1:  # else this process only watches those that work
            ProcessCollector(registry=self.registry)

    def __enter__(self) -> JobMetrics:
        """Start asking the parts outside."""
        self.readiness.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        """Stop asking."""
        self.readiness.__exit__(*error)

    def follow(self, state: Callable[[], RunState]) -> None:
        """Take the metrics from a run from now on.

        Args:
            state: Returns its state.
        """
        self._state = state

    def state(self) -> RunState:
        """Return the state of the run."""
        return self._state()
