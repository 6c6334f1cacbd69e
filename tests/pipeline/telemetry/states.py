"""The metrics of a run that has done something."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from maskline.pipeline.http.collector import RunCollector
from maskline.pipeline.http.liveness import Liveness
from maskline.pipeline.http.readiness import Part, Readiness
from maskline.pipeline.run_state import RunState
from maskline.sqs.client import QueueDepth
from maskline.transforms.run_context import RunContext


def counting() -> RunContext:
    """Return a run that has received 10 messages, written 8 and rejected 2."""
    context = RunContext()
    context.tally.add("received", 10)
    context.tally.add("written", 8)
    context.tally.add("rejected", 2)
    context.tally.add("rejected_not_json", 2)
    context.tally.observe("end_to_end_latency_milliseconds", [4, 30, 1500])
    return context


def registry_of(context: RunContext) -> CollectorRegistry:
    """Return the metrics of a run of the stream ``logins`` from the queue ``my-queue``."""
    liveness = Liveness(lambda: RunState.of(context), 300)
    readiness = Readiness({"queue": Part(lambda: None)})
    readiness.ask("queue")
    registry = CollectorRegistry()
    depth = QueueDepth(7, 3, 0)
    registry.register(
        RunCollector(["logins"], "my-queue", lambda: RunState.of(context), lambda: depth, liveness, readiness)
    )
    return registry
