"""A micro-batch is never larger than its size, never mixes windows, and never outlives its bundle."""

from __future__ import annotations

import pickle
from collections.abc import Iterable

import apache_beam as beam
import pytest
from apache_beam.testing.test_pipeline import TestPipeline as BeamPipeline
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms.window import FixedWindows, GlobalWindow, IntervalWindow, TimestampedValue
from apache_beam.utils.windowed_value import WindowedValue

from maskline.errors import UsageError
from maskline.transforms import MicroBatch
from maskline.transforms.batch import _Group


@pytest.mark.parametrize(
    ("size", "sizes"),
    [(1, [1] * 10), (3, [3, 3, 3, 1]), (5, [5, 5]), (10, [10]), (1000, [10])],
)
def test_a_bundle_is_cut_into_batches_of_the_size_and_a_remainder(size: int, sizes: list[int]) -> None:
    with BeamPipeline(runner="FnApiRunner") as pipeline:
        lengths = _one_bundle(pipeline) | MicroBatch(size) | beam.Map(len)

        assert_that(lengths, equal_to(sizes))


@pytest.mark.heavy
@pytest.mark.parametrize("size", [1, 3, 4, 1000])
def test_no_element_is_lost_or_doubled_and_their_order_is_kept(size: int) -> None:
    expected = {
        1: [[0], [1], [2], [3], [4], [5], [6], [7], [8], [9]],
        3: [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]],
        4: [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]],
        1000: [[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]],
    }

    with BeamPipeline(runner="FnApiRunner") as pipeline:
        batches = _one_bundle(pipeline) | MicroBatch(size)

        assert_that(batches, equal_to(expected[size]))


def test_windows_are_never_mixed() -> None:
    with BeamPipeline(runner="FnApiRunner") as pipeline:
        batches = (
            _one_bundle(pipeline)
            | "Odd ones ten seconds later" >> beam.Map(lambda number: TimestampedValue(number, number % 2 * 10))
            | beam.WindowInto(FixedWindows(10))
            | MicroBatch(3)
            | beam.ParDo(_WithWindow())
        )

        assert_that(
            batches,
            equal_to([([0, 2, 4], 0, 10), ([6, 8], 0, 10), ([1, 3, 5], 10, 20), ([7, 9], 10, 20)]),
        )


def test_a_full_batch_goes_out_at_once() -> None:
    group = _Group(2)
    group.start_bundle()

    first = list(group.process("a", GlobalWindow()))
    second = list(group.process("b", GlobalWindow()))

    assert first == []
    assert second == [["a", "b"]]


def test_the_remainder_goes_out_when_the_bundle_ends_and_belongs_to_its_window() -> None:
    group = _Group(2)
    group.start_bundle()
    windows = [IntervalWindow(0, 10), IntervalWindow(10, 20)]
    sent = [batch for window in windows for batch in group.process("a", window)]

    flushed = list(group.finish_bundle())

    assert sent == []
    assert flushed == [
        WindowedValue(["a"], windows[0].max_timestamp(), (windows[0],)),
        WindowedValue(["a"], windows[1].max_timestamp(), (windows[1],)),
    ]


def test_nothing_is_kept_from_one_bundle_to_the_next() -> None:
    group = _Group(2)
    group.start_bundle()
    assert list(group.process("of a bundle that failed", GlobalWindow())) == []

    group.start_bundle()
    sent = list(group.process("a", GlobalWindow()))
    flushed = list(group.finish_bundle())

    assert sent == []
    assert [each.value for each in flushed] == [["a"]]
    assert list(group.finish_bundle()) == []


def test_an_empty_bundle_makes_no_batch() -> None:
    with BeamPipeline(runner="FnApiRunner") as pipeline:
        batches = pipeline | beam.Create([]) | MicroBatch(3)

        assert_that(batches, equal_to([]))


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one_is_refused_when_the_job_is_built(size: int) -> None:
    with pytest.raises(UsageError) as refusal:
        MicroBatch(size)

    assert str(refusal.value) == f"size is {size}; it must be 1 or more"


def test_the_graph_below_needs_no_shuffle_no_state_and_no_timer() -> None:
    pipeline = beam.Pipeline(runner="FnApiRunner")
    _ = pipeline | beam.Impulse() | MicroBatch(3)

    graph = pipeline.to_runner_api()

    urns = {transform.spec.urn for transform in graph.components.transforms.values()}
    assert not {urn for urn in urns if "group_by_key" in urn or "reshuffle" in urn}
    assert not graph.requirements


def test_it_can_be_sent_to_a_worker() -> None:
    group = pickle.loads(pickle.dumps(_Group(2)))

    group.start_bundle()

    assert list(group.process("a", GlobalWindow())) == []
    assert [each.value for each in group.finish_bundle()] == [["a"]]


class _WithWindow(beam.DoFn):
    def process(
        self, batch: list[int], window: IntervalWindow = beam.DoFn.WindowParam
    ) -> Iterable[tuple[list[int], int, int]]:
        yield batch, int(window.start), int(window.end)


def _one_bundle(pipeline: beam.Pipeline) -> beam.PCollection[int]:
    """Return the numbers 0 to 9 in one bundle: one element is never split over two."""
    return pipeline | beam.Create([10]) | "Numbers" >> beam.FlatMap(lambda count: range(count))
