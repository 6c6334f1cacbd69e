"""Ending a long command in an orderly way: the first signal ends the current step, the second one the process."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from types import FrameType
from typing import TYPE_CHECKING, Generic, NoReturn, TypeVar

from maskline.futures import settle

if TYPE_CHECKING:
    from rich.console import Console

STOPPED_EXIT_CODE = 130
"""The exit code of a command that a signal ended, by the custom of shells: 128 and the number of SIGINT."""

SIGNAL_SECONDS = 0.1
EXIT_SECONDS = 1.0
STANDARD_ERROR = 2

T = TypeVar("T")


@contextlib.contextmanager
def stopping_on_signals(stopping: threading.Event, console: Console) -> Iterator[None]:
    """Set an event at the first SIGINT or SIGTERM, and end the process at once at the second.

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
    """Have SIGTERM raise KeyboardInterrupt in the block, as a Ctrl-C does, so that what was started is stopped."""
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class BackgroundWork(Generic[T]):
    """Work in a daemon thread, so that the main thread handles signals at once, whatever the work waits for.

    Python handles a signal in the main thread, and there only between two instructions: not before a call into libpq or
    of a name server has returned. A signal handler that raises ends the wait for the work and not the work itself: that
    can be waited for again, and ends with the process.

    Args:
        work: Is called in the thread, once, when it is begun or its result is first asked for: whoever asks is ready
            for a Ctrl-C.
        name: The thread's name.
    """

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._name = name
        self._future: Future[T] = Future()
        self._beginning = threading.Lock()

    def begin(self) -> None:
        """Begin the work, whose result is asked for later. Its failure is told then."""
        if not self._beginning.locked():
            threading.Thread(target=self._run, name=self._name, daemon=True).start()

    def result(self) -> T:
        """Return what the work returned, once it has, or raise what it raised.

        Raises:
            KeyboardInterrupt: A signal came while this thread waited.
        """
        self.begin()
        # In steps: a signal that comes just before a wait does not end it, and is seen only after it.
        while not wait([self._future], SIGNAL_SECONDS).done:
            pass
        return self._future.result()

    def _run(self) -> None:
        # Of two threads, too: a signal may have ended the wait before the first one has come this far.
        if self._beginning.acquire(blocking=False):
            settle(self._future, self._work)


def interruptible(work: Callable[[], T]) -> T:
    """Run work and return its result; a Ctrl-C or SIGTERM ends the wait for it at once, whatever it waits for.

    Args:
        work: Is called in a daemon thread.

    Raises:
        KeyboardInterrupt: A signal came.
    """
    with interrupted_by_sigterm():
        return BackgroundWork(work, "interruptible").result()


def close_standard_error() -> None:
    """Discard everything that is written to standard error from now on.

    While a process ends, its threads and the processes that it started complain that what they use is gone.
    """
    _flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), STANDARD_ERROR)


def end_process(exit_code: int) -> NoReturn:
    """End this process without waiting for its threads, which may hang.

    What is registered with `atexit`, for example by runners to end their own processes, is given a second.

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


def _interrupt(number: int, frame: FrameType | None) -> None:
    # By what handles a Ctrl-C now, for Beam has that stop its job server, too; a shell may have had it ignored.
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(number, frame)
    raise KeyboardInterrupt
