"""The state of several processes is that of the run."""

from __future__ import annotations

from maskline.pipeline.run_state import RunState
from maskline.pipeline.summary import RunCounts
from maskline.transforms.tally import Histogram, Tally


def state(**values: object) -> RunState:
    return RunState(RunCounts.of(Tally()), **values)  # type: ignore[arg-type]


def test_what_processes_hold_adds_up_and_the_worst_of_them_counts() -> None:
    one = state(in_flight=3, connections=1, oldest_message_seconds=2.0, last_progress=10.0)
    other = state(in_flight=4, connections=2, oldest_message_seconds=None, last_progress=8.0)

    together = RunState.together([one, other])

    assert (together.in_flight, together.connections) == (7, 3)
    assert (together.oldest_message_seconds, together.last_progress) == (2.0, 8.0)


def test_histograms_add_up_bucket_by_bucket() -> None:
    slow = {"commit_milliseconds": Histogram().with_values([900])}
    quick = {"commit_milliseconds": Histogram().with_values([3, 4])}

    together = RunState.together([state(histograms=slow), state(histograms=quick), state()])

    histogram = together.histograms["commit_milliseconds"]
    assert (histogram.count, histogram.total) == (3, 907)
    assert histogram.up_to[:4] == (0, 0, 2, 2)
    assert histogram.up_to[8:10] == (2, 3)


def test_a_process_that_has_ended_does_not_make_the_run_look_stalled() -> None:
    ended = state(in_flight=3, last_progress=1.0).at_end()

    together = RunState.together([ended, state(in_flight=2, last_progress=50.0)])

    assert (together.last_progress, together.in_flight) == (50.0, 2)
