"""Signals end what they should, whatever it waits for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from maskline.pipeline.stopping import BackgroundWork, interruptible
from tests.awaiting import await_until
from tests.e2e.job_process import PROJECT

HANGING_AT_EXIT = """
import atexit, sys, threading
from maskline.pipeline.stopping import end_process
atexit.register(threading.Event().wait)
atexit.register(print, "cleaned up")
threading.Thread(target=threading.Event().wait).start()
print("said", end=" ")
print("last line", file=sys.stderr)
threading.Timer(0.9, print, ["a complaint"], {"file": sys.stderr}).start()
end_process(7)
"""


LEAVING = """
import atexit
from maskline.pipeline.stopping import leave_process

class TakenApart:
    def __del__(self):
        print("taken apart")

kept = TakenApart()
atexit.register(print, "done at exit")
print("said first")
leave_process(3)
"""


def test_work_that_ends_by_itself_gives_what_it_gives() -> None:
    assert interruptible(lambda: 42) == 42


def test_what_work_raises_comes_out_as_it_is() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        interruptible(fail)


def test_a_signal_that_comes_as_soon_as_work_begins_leaves_it_to_itself_and_it_is_done_once() -> None:
    main, begun, may_end = threading.main_thread().ident, [], threading.Event()
    assert main is not None

    def interrupt() -> str:
        begun.append(1)
        signal.pthread_kill(main, signal.SIGINT)
        may_end.wait(10)
        return "done"

    work = BackgroundWork(interrupt, "interrupted")

    with pytest.raises(KeyboardInterrupt):
        work.result()
    may_end.set()

    assert work.result() == "done"
    assert begun == [1]


def test_work_that_is_begun_runs_before_its_result_is_asked_for_and_once() -> None:
    begun, runs = threading.Event(), []

    def fail() -> None:
        runs.append(1)
        begun.set()
        raise ValueError("told when its result is asked for")

    work = BackgroundWork(fail, "early")
    work.begin()

    assert begun.wait(30)
    with pytest.raises(ValueError, match="told when its result is asked for"):
        work.result()
    assert runs == [1]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_wait_for_work_that_hangs(number: signal.Signals) -> None:
    before, answered = signal.getsignal(signal.SIGTERM), threading.Event()

    def hang() -> None:
        os.kill(os.getpid(), number)
        answered.wait(60)

    with pytest.raises(KeyboardInterrupt):
        interruptible(hang)

    assert not answered.is_set()
    assert signal.getsignal(signal.SIGTERM) is before
    answered.set()
    await_until(lambda: "interruptible" not in [thread.name for thread in threading.enumerate()], "it has ended")


def test_a_process_is_left_once_what_it_does_at_exit_is_done_and_what_it_said_is_written() -> None:
    left = subprocess.run([sys.executable, "-c", LEAVING], cwd=PROJECT, capture_output=True, text=True, timeout=30)

    assert (left.returncode, left.stdout, left.stderr) == (3, "said first\ndone at exit\n", "")


def test_a_sigterm_interrupts_where_a_shell_has_had_ctrl_c_ignored() -> None:
    before, answered = signal.signal(signal.SIGINT, signal.SIG_IGN), threading.Event()

    def hang() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        answered.wait(60)

    try:
        with pytest.raises(KeyboardInterrupt):
            interruptible(hang)
    finally:
        signal.signal(signal.SIGINT, before)

    answered.set()
    await_until(lambda: "interruptible" not in [thread.name for thread in threading.enumerate()], "it has ended")


def test_a_process_is_ended_though_its_threads_and_what_it_does_at_exit_hang() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", HANGING_AT_EXIT], cwd=PROJECT, capture_output=True, text=True, timeout=30
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (7, "said cleaned up\n", "last line\n")
