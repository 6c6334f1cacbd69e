"""Caches for what Beam computes again and again while it builds and starts a pipeline."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import core, userstate

_Arguments = tuple[list[str], list[Any]]
"""The names of a function's arguments, and the defaults of the last of them."""


@contextlib.contextmanager
def remember_answers() -> Iterator[None]:
    """Have Beam inspect each DoFn and method, and make each kind of view of its options, only once in the block.

    For the job's graph Beam 2.77 makes 150 views of its options, each with an argument parser of its own that it fills
    and runs, and inspects 3,000 signatures, each method of each DoFn six times over: a fifth of the CPU of a start.
    Views share what they show, and a DoFn's methods do not change, so the answers are those that it would get. Nor does
    it read the source of each DoFn again, of which it would only warn.
    """
    make_view = PipelineOptions.view_as
    views: dict[tuple[int, type[PipelineOptions]], Any] = {}

    def view_as(options: PipelineOptions, kind: type[PipelineOptions]) -> Any:
        key = (id(options._all_options), kind)  # all views of the same options hold this dictionary, and keep it alive
        if key not in views:
            views[key] = make_view(options, kind)
        return views[key]

    find_specs = userstate.get_dofn_specs
    find_arguments, look_at_source = core.get_function_args_defaults, core._check_fn_use_yield_and_return
    userstate.get_dofn_specs = functools.cache(find_specs)
    core.get_function_args_defaults = _remembering(find_arguments)
    core._check_fn_use_yield_and_return = lambda _function: False
    PipelineOptions.view_as = view_as
    try:
        yield
    finally:
        PipelineOptions.view_as = make_view
        userstate.get_dofn_specs = find_specs
        core.get_function_args_defaults, core._check_fn_use_yield_and_return = find_arguments, look_at_source


def _remembering(find_arguments: Callable[[Any], _Arguments]) -> Callable[[Any], _Arguments]:
    """Return what looks once at a method, whichever DoFn it is bound to: what it is told of is not the DoFn's."""
    found: dict[tuple[Any, bool], _Arguments] = {}

    def arguments(function: Any) -> _Arguments:
        key = (getattr(function, "__func__", function), inspect.ismethod(function))
        if key not in found:
            found[key] = find_arguments(function)
        names, defaults = found[key]
        return list(names), list(defaults)

    return arguments
