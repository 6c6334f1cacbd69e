"""When this process looks for garbage in cycles: not while it imports, and seldom while it runs a job."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

NEW_OBJECTS = 5_000
"""How many objects more than before there have to be. Twice as many, and a job takes 15 MB more."""


@contextlib.contextmanager
def gc_paused() -> Iterator[None]:
    """Collect no garbage while the block imports, nor among what it imported: that takes a fifth of Beam's import."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def collecting_seldom() -> Iterator[None]:
    """Collect garbage once there are `NEW_OBJECTS` in the block, and not at every 700, as Python does.

    A micro-batch has more than that while it is masked, and next to none of it in a cycle: to look through all of it
    again and again took a thirtieth of the job's CPU, and takes less than half of that now.
    """
    thresholds = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
