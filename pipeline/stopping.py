"""Ending a long command in an orderly way: the first signal ends the step under way, the second the process."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from types import FrameType

STOPPED_EXIT_CODE = 130
SIGNAL_SECONDS = 0.1


@contextlib.contextmanager
def stopping_on_signals() -> Iterator[threading.Event]:
    """Have a first Ctrl-C or SIGTERM end the step under way and no more, and a second one end the process."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()
        for number in before:
            signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_another_thread(work: Callable[[], int]) -> int:
    """Run work where waiting for a database or a store does not keep this thread from its signals.

    Args:
        work: Returns an exit code, or a number of whatever was left.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="work") as thread:
        future = thread.submit(work)
        while not future.done():
            wait([future], timeout=SIGNAL_SECONDS)
        return future.result()
