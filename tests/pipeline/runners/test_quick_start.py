"""What Beam is told at a start is what it would have found out by itself, and told once."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions
from apache_beam.transforms import userstate
from apache_beam.transforms.userstate import CombiningValueStateSpec

from maskline.pipeline.runners.quick_start import remember_answers

COUNT = CombiningValueStateSpec("count", VarIntCoder(), sum)


class Counting(beam.DoFn):
    def process(
        self, element: tuple[str, int], count: userstate.AccumulatingRuntimeState = beam.DoFn.StateParam(COUNT)
    ) -> Iterator[int]:
        count.add(element[1])
        yield count.read()


def test_a_view_is_made_once_and_shows_what_is_set_in_any_other() -> None:
    options, others = PipelineOptions(["--runner=FlinkRunner"]), PipelineOptions([])

    with remember_answers():
        view = options.view_as(StandardOptions)
        options.view_as(TypeOptions).view_as(StandardOptions).streaming = True

        assert options.view_as(StandardOptions) is view
        assert (view.runner, view.streaming) == ("FlinkRunner", True)
        assert (others.view_as(StandardOptions).runner, others.view_as(StandardOptions).streaming) == (None, False)


def test_a_dofn_is_looked_at_once_for_its_state() -> None:
    stateful, other = Counting(), beam.DoFn()

    with remember_answers():
        specs = userstate.get_dofn_specs(stateful)

        assert specs == ({COUNT}, set())
        assert userstate.get_dofn_specs(stateful) is specs
        assert userstate.get_dofn_specs(other) == (set(), set())


def test_beam_is_as_it_was_afterwards() -> None:
    before = (PipelineOptions.view_as, userstate.get_dofn_specs)

    with remember_answers():
        pass

    assert (PipelineOptions.view_as, userstate.get_dofn_specs) == before
