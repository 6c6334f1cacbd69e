"""What Beam is told at a start is what it would have found out by itself, and told once."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import pytest
from apache_beam.coders import VarIntCoder
from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions, TypeOptions
from apache_beam.transforms import core, userstate
from apache_beam.transforms.userstate import CombiningValueStateSpec

from maskline.pipeline.runners.quick_start import remember_answers

COUNT = CombiningValueStateSpec("count", VarIntCoder(), sum)


class Counting(beam.DoFn):
    COUNTED = beam.DoFn.StateParam(COUNT)

    def process(self, element: tuple[str, int], count: userstate.AccumulatingRuntimeState = COUNTED) -> Iterator[int]:
        count.add(element[1])
        yield count.read()


def patched() -> list[object]:
    """Return what of Beam's stands in another's place meanwhile."""
    return [
        PipelineOptions.view_as,
        userstate.get_dofn_specs,
        core.get_function_args_defaults,
        core._check_fn_use_yield_and_return,
    ]


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
    before = patched()

    with remember_answers():
        pass

    assert patched() == before


def test_a_method_is_looked_at_once_and_each_who_asks_has_a_list_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[object] = []
    look = core.get_function_args_defaults
    monkeypatch.setattr(core, "get_function_args_defaults", lambda f: looked_at.append(f) or look(f))

    with remember_answers():
        names, defaults = core.get_function_arguments(Counting(), "process")
        names.clear()
        defaults.clear()

        assert core.get_function_arguments(Counting(), "process") == (["element", "count"], [Counting.COUNTED])
        assert core.get_function_args_defaults(Counting().process)[0] == ["element", "count"]
        assert core.get_function_args_defaults(Counting.process)[0] == ["self", "element", "count"]
    assert len(looked_at) == 2
