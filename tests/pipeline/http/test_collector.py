"""What Prometheus is told of a run, parsed as Prometheus' own library parses it."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from maskline import __version__
from maskline.pipeline.http.collector import RunCollector
from maskline.pipeline.http.liveness import Liveness
from maskline.pipeline.http.readiness import Part, Readiness
from maskline.pipeline.run_state import RunState
from maskline.sqs.client import QueueDepth
from maskline.transforms.run_context import RunContext

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scraped(state: RunState, depth: QueueDepth | None = None, now: float = 0.0) -> Samples:
    liveness = Liveness(lambda: state, 300, clock=lambda: now)
    readiness = Readiness({"queue": Part(lambda: None), "database": Part(lambda: None)})
    readiness.ask("queue")
    registry = CollectorRegistry()
    registry.register(RunCollector(["logins"], "my-queue", lambda: state, lambda: depth, liveness, readiness))
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def counted() -> RunState:
    context = RunContext()
    for number, name in enumerate(
        ("received", "written", "duplicates", "deleted", "delete_failures", "db_retries", "extra_fields"), 1
    ):
        context.tally.add(name, 10 * number)
    context.tally.add("rejected", 3)
    context.tally.add("rejected_not_json", 3)
    context.tally.observe("batch_size", [500])
    context.tally.observe("end_to_end_latency_milliseconds", [4, 1500, 30])
    return RunState.of(context)


def test_every_count_is_a_counter_of_the_stream() -> None:
    samples = scraped(counted())

    names = ("received", "written", "duplicates", "deleted", "delete_failures", "database_retries", "extra_fields")
    assert [value(samples, f"maskline_{name}_total", stream="logins") for name in names] == [10, 20, 30, 40, 50, 60, 70]


def test_rejections_are_counted_by_reason_and_each_reason_begins_at_zero() -> None:
    samples = scraped(counted())

    assert value(samples, "maskline_rejected_total", stream="logins", reason="not_json") == 3
    assert value(samples, "maskline_rejected_total", stream="logins", reason="too_long") == 0


def test_what_looks_like_personal_data_is_counted_by_stream_and_column() -> None:
    context = RunContext()
    context.tally.add("suspect_pii_logins.locale", 0)
    context.tally.add("suspect_pii_logins.app_version", 4)

    samples = scraped(RunState.together([RunState.of(context), RunState.of(context)]))

    assert value(samples, "maskline_suspect_pii_total", stream="logins", column="app_version") == 8
    assert value(samples, "maskline_suspect_pii_total", stream="logins", column="locale") == 0


def test_a_distribution_is_a_histogram_in_base_units() -> None:
    samples = scraped(counted())

    name = "maskline_end_to_end_latency_seconds"
    bounds = ("0.002", "0.005", "0.05", "1.0", "2.0", "+Inf")
    assert [value(samples, f"{name}_bucket", stream="logins", le=bound) for bound in bounds] == [0, 1, 2, 2, 3, 3]
    assert value(samples, f"{name}_count", stream="logins") == 3
    assert value(samples, f"{name}_sum", stream="logins") == 1.534
    assert value(samples, "maskline_batch_size_messages_sum", stream="logins") == 500


def test_a_distribution_without_values_is_there_already() -> None:
    assert value(scraped(RunState.at_start(0)), "maskline_commit_seconds_count", stream="logins") == 0


def test_the_depth_of_the_queue_is_told_by_state_where_it_is_known() -> None:
    state = RunState.at_start(0)

    known = scraped(state, QueueDepth(visible=7, in_flight=2, delayed=1))
    unknown = scraped(state)

    counts = [
        value(known, "maskline_queue_messages", queue="my-queue", state=name)
        for name in ("visible", "in_flight", "delayed")
    ]
    assert counts == [7, 2, 1]
    assert "maskline_queue_messages" not in {name for name, _ in unknown}


def test_what_the_job_holds_and_how_far_behind_it_is_are_gauges() -> None:
    state = RunState(counted().counts, {}, 12, 2, 3.5, last_progress=100.0)

    samples = scraped(state, now=107.0)

    assert value(samples, "maskline_in_flight_messages", queue="my-queue") == 12
    assert value(samples, "maskline_database_connections") == 2
    assert value(samples, "maskline_oldest_message_age_seconds", queue="my-queue") == 3.5
    assert value(samples, "maskline_seconds_since_progress") == 7


def test_an_age_that_is_not_known_is_no_sample() -> None:
    assert "maskline_oldest_message_age_seconds" not in {name for name, _ in scraped(RunState.at_start(0))}


def test_it_says_which_parts_are_ready_and_what_runs() -> None:
    samples = scraped(RunState.at_start(0))

    assert value(samples, "maskline_ready", part="queue") == 1
    assert value(samples, "maskline_ready", part="database") == 0
    ((labels, number),) = [(dict(labels), number) for (name, labels), number in samples.items() if "build_info" in name]
    assert (labels["version"], number) == (__version__, 1)
    assert labels.keys() == {"version", "beam", "tink"}
