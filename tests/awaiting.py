"""Waiting for a condition, in place of sleeping."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


def await_until(condition: Callable[[], bool], what: str, seconds: float = 90) -> None:
    """Return as soon as a condition holds; fail, saying what was awaited, if it does not in time."""
    give_up = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < give_up, f"waited {seconds} s in vain until {what}"
        pause.wait(0.05)
