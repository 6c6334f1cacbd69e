"""Ending a long command in an orderly way: the first signal ends the step under way, the second the process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from types import FrameType

from rich.console import Console

STOPPED_EXIT_CODE = 130
SIGNAL_SECONDS = 0.1


@contextlib.contextmanager
def stopping_on_signals(stopping: threading.Event, console: Console) -> Iterator[None]:
    """Have a first SIGINT or SIGTERM end the step under way and no more, and a second one end this process at once.

    Args:
        stopping: Is set by the first.
        console: Gets its cursor back before the process ends.
    """

    def stop(_number: int, _frame: FrameType | None) -> None:
        if stopping.is_set():
            console.show_cursor()
            os._exit(STOPPED_EXIT_CODE)
        stopping.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
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
