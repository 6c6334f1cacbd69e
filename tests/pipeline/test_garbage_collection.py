"""When garbage in cycles is looked for: seldom in a job, but it is."""

from __future__ import annotations

import gc
import weakref

from maskline.pipeline.garbage_collection import NEW_OBJECTS, collecting_seldom


class Cycle:
    """An object that only a search for cycles finds to be garbage."""

    def __init__(self) -> None:
        self.self = self


def test_a_job_looks_for_garbage_seldom_and_what_comes_after_it_as_often_as_before() -> None:
    before = gc.get_threshold()

    with collecting_seldom():
        assert gc.get_threshold() == (NEW_OBJECTS, *before[1:])

    assert gc.get_threshold() == before


def test_garbage_in_cycles_does_not_pile_up_in_a_job() -> None:
    with collecting_seldom():
        cycles = [weakref.ref(Cycle()) for _ in range(2 * NEW_OBJECTS)]

        assert sum(cycle() is not None for cycle in cycles) < 1.1 * NEW_OBJECTS
