"""Ending a long command in an orderly way: the first signal ends the step under way, the second the process."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from types import FrameType
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

STOPPED_EXIT_CODE = 130
SIGNAL_SECONDS = 0.1
EXIT_SECONDS = 1.0
STANDARD_ERROR = 2

T = TypeVar("T")


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


@contextlib.contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Have a SIGTERM do what Ctrl-C does while the block runs, so that what was started is stopped on the way out."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def interruptible(work: Callable[[], T]) -> T:
    """Run work that a first Ctrl-C or SIGTERM leaves to itself at once, whatever it waits for.

    Python handles a signal in the main thread, and only once that comes back from libpq or a name server. What was left
    to itself ends with the process.

    Args:
        work: Is called in a daemon thread.

    Raises:
        KeyboardInterrupt: A signal came.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    with interrupted_by_sigterm():
        threading.Thread(target=run, name="interruptible", daemon=True).start()
        return future.result()


def close_standard_error() -> None:
    """Have what this process has written to standard error stay the last that it writes there.

    While it ends, its threads and the processes that it started complain of what is taken from under them.
    """
    _flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_ERROR)


def end_process(exit_code: int) -> NoReturn:
    """End this process though threads of it hang, which Python would wait for.

    What is to be done at exit (runners end processes of theirs then) has a second.

    Args:
        exit_code: The exit code.
    """
    close_standard_error()
    cleaning = threading.Thread(target=atexit._run_exitfuncs, name="exit", daemon=True)
    cleaning.start()
    cleaning.join(EXIT_SECONDS)
    _flush()
    os._exit(exit_code)


def leave_process(exit_code: int) -> NoReturn:
    """End this process, its work done, and leave what its imports have made to the operating system.

    What is to be done at exit is done. Python would then take every module apart, which of Beam's costs as much as a
    tenth of importing them.

    Args:
        exit_code: The exit code.
    """
    atexit._run_exitfuncs()
    _flush()
    os._exit(exit_code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
            stream.flush()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


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
