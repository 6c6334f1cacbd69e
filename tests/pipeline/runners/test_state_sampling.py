"""The thread that samples what a worker does: it never holds up the end of a bundle for long."""

from __future__ import annotations

import apache_beam as beam
from apache_beam.runners.worker import statesampler

from maskline.pipeline.runners.state_sampling import PERIOD_MILLISECONDS, sampling_often
from tests.transforms.running import Collect, a_pipeline


class Periods(beam.DoFn):
    """Emits how long the thread sleeps at most that samples this DoFn."""

    def process(self, element: int) -> list[int]:
        return [statesampler.get_current_tracker().sampling_period_ms]


def test_the_samples_of_a_bundle_are_close_to_each_other() -> None:
    assert periods_in_a_pipeline() == [200]

    with sampling_often():
        assert periods_in_a_pipeline() == [PERIOD_MILLISECONDS]

    assert periods_in_a_pipeline() == [200]


def periods_in_a_pipeline() -> list[int]:
    periods = Collect()
    with a_pipeline() as pipeline:
        pipeline | beam.Create([1]) | beam.ParDo(Periods()) | periods
    return periods.elements
