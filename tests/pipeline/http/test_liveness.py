"""A run that gets nowhere for too long is not live, and is again once it moves."""

from __future__ import annotations

import pytest

from maskline.errors import ArgumentError
from maskline.pipeline.http.liveness import Liveness
from maskline.pipeline.run_state import RunState


def test_it_is_live_until_it_got_nowhere_for_too_long() -> None:
    now = 100.0
    state = RunState.at_start(100.0)
    liveness = Liveness(lambda: state, stall_seconds=60, clock=lambda: now)

    seen = []
    for now in (100.0, 159.9, 160.0, 500.0):  # noqa: B007 - the clock reads it
        seen.append(liveness.is_live())
    state = RunState.at_start(500.0)

    assert seen == [True, True, False, False]
    assert liveness.is_live()


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_time_that_is_none_is_rejected(seconds: float) -> None:
    with pytest.raises(ArgumentError, match="stall_seconds is"):
        Liveness(lambda: RunState.at_start(0), seconds)
