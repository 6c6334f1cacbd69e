"""What Beam asks again and again while it builds and starts a pipeline, answered once."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.transforms import userstate


@contextlib.contextmanager
def remember_answers() -> Iterator[None]:
    """Let Beam look once at each DoFn and make one view of options of each kind, while the block runs.

    For the job's graph Beam 2.77 makes 150 views of its options, each with an argument parser of its own that it fills
    and runs, and inspects 3,000 signatures, each method of each DoFn six times over: a fifth of the CPU of a start.
    Views share what they show, and a DoFn's methods do not change, so the answers are those that it would get.
    """
    make_view = PipelineOptions.view_as
    views: dict[tuple[int, type[PipelineOptions]], Any] = {}

    def view_as(options: PipelineOptions, kind: type[PipelineOptions]) -> Any:
        key = (id(options._all_options), kind)  # all views of the same options hold this dictionary, and keep it alive
        if key not in views:
            views[key] = make_view(options, kind)
        return views[key]

    find_specs = userstate.get_dofn_specs
    userstate.get_dofn_specs = functools.cache(find_specs)
    PipelineOptions.view_as = view_as
    try:
        yield
    finally:
        PipelineOptions.view_as = make_view
        userstate.get_dofn_specs = find_specs
