"""The page's last 15 minutes: totals as they were, and no more than that."""

from __future__ import annotations

from maskline.pipeline.http.samples import SampleRing
from maskline.pipeline.run_state import RunState
from maskline.sqs.client import QueueDepth
from maskline.transforms.run_context import RunContext


def test_a_sample_holds_the_totals_of_its_moment_and_the_last_is_of_this_one() -> None:
    context = RunContext(tracks_in_flight=True)
    ring = SampleRing(lambda: RunState.of(context), lambda: QueueDepth(5, 2, 1), clock=lambda: 1000.0)

    context.tally.add("received", 3)
    ring.take()
    context.tally.add("received", 4)
    context.tally.add("rejected_not_json", 1)

    samples = ring.samples()
    assert [sample.received for sample in samples] == [3, 7]
    assert samples[-1].rejected_by_reason == {"not_json": 1}
    assert (samples[0].at, samples[0].visible, samples[0].invisible, samples[0].delayed) == (1000.0, 5, 2, 1)


def test_the_latency_is_that_of_the_rows_since_the_sample_before() -> None:
    context = RunContext()
    ring = SampleRing(lambda: RunState.of(context), lambda: None)
    latencies: list[list[int]] = [[], [40] * 95 + [9000] * 5, [40] * 94 + [9000] * 6, []]

    for values in latencies:
        context.tally.observe("end_to_end_latency_milliseconds", values)
        ring.take()

    assert [sample.latency_seconds for sample in ring.samples()[:-1]] == [None, 0.05, 10.0, None]


def test_it_keeps_a_quarter_of_an_hour() -> None:
    ring = SampleRing(lambda: RunState.at_start(0), lambda: None)

    for _ in range(1000):
        ring.take()

    assert len(ring.samples()) == 452
