"""Bundles that end without a wait for the thread that samples what Beam's worker is doing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from apache_beam.runners.worker import statesampler

PERIOD_MILLISECONDS = 10


@contextlib.contextmanager
def sampling_often() -> Iterator[None]:
    """Have Beam's workers of this process look every `PERIOD_MILLISECONDS` what they are doing, in the block.

    Beam looks ever less often, down to every 200 ms, from a thread that sleeps in between, and at the end of a bundle
    it waits until that thread wakes up: for a twelfth of the bundle's time on average, and 100 ms after a long one.
    """
    sampler = statesampler.StateSampler
    statesampler.StateSampler = _SamplesOften
    try:
        yield
    finally:
        statesampler.StateSampler = sampler


class _SamplesOften(statesampler.StateSampler):
    def __init__(self, prefix: str, counter_factory: object, sampling_period_ms: int = PERIOD_MILLISECONDS) -> None:
        super().__init__(prefix, counter_factory, sampling_period_ms)
