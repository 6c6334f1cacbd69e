"""Looking after what waits for another machine."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading

import pytest

from maskline.watchdog import Watchdog
from tests.awaiting import await_until


class Clock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog(clock: Clock) -> Watchdog:
    return Watchdog(clock)


def test_a_wait_over_its_time_is_ended_once(watchdog: Watchdog, clock: Clock) -> None:
    ends: list[float] = []

    with watchdog.watching("an answer", 7, lambda: ends.append(clock.now)) as wait:
        clock.now += 6.9
        watchdog._look()
        ended_before = list(ends)
        clock.now += 0.2
        watchdog._look()
        watchdog._look()

    assert ended_before == []
    assert ends == [1007.1]
    assert wait.is_over


def test_a_wait_in_time_is_left_alone_for_ever(watchdog: Watchdog, clock: Clock) -> None:
    ends: list[float] = []

    with watchdog.watching("an answer", 7, lambda: ends.append(clock.now)) as wait:
        pass
    clock.now += 100
    watchdog._look()

    assert ends == []
    assert not wait.is_over


def test_it_is_ended_by_a_thread_and_needs_nobody_to_look(watchdog: Watchdog, clock: Clock) -> None:
    ended = threading.Event()

    with watchdog.watching("an answer", 7, ended.set):
        clock.now += 8

        assert ended.wait(10)


def test_a_stop_shortens_the_wait_to_its_grace_and_never_lengthens_it(watchdog: Watchdog, clock: Clock) -> None:
    stopping, ends = threading.Event(), []

    with (
        watchdog.watching("long", 300, lambda: ends.append("long"), stopping),
        watchdog.watching("short", 5, lambda: ends.append("short"), stopping),
    ):
        stopping.set()
        watchdog._look()
        clock.now += 5
        watchdog._look()
        after_5 = list(ends)
        clock.now += 5
        watchdog._look()

    assert after_5 == ["short"]
    assert ends == ["short", "long"]


def test_what_takes_long_is_said_once(watchdog: Watchdog, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), watchdog.watching("queue logins: an answer"):
        clock.now += 4.9
        watchdog._look()
        said_before = list(caplog.messages)
        clock.now += 0.2
        watchdog._look()
        clock.now += 60
        watchdog._look()

    assert said_before == []
    assert caplog.messages == ["queue logins: an answer has taken 5 s so far"]


def test_what_is_waited_for_now_can_be_asked_for(watchdog: Watchdog, clock: Clock) -> None:
    with watchdog.watching("postgres: an insert"):
        clock.now += 12
        with watchdog.watching("queue logins: an answer"), watchdog.watching("postgres: connecting"):
            clock.now += 0.5

            assert watchdog.slow_waits() == ["postgres: an insert (12 s)"]
    assert watchdog.slow_waits() == []


def test_an_end_that_fails_costs_no_other_wait_its_end(
    watchdog: Watchdog, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ended = threading.Event()

    def fail() -> None:
        raise ZeroDivisionError

    with watchdog.watching("first", 1, fail), watchdog.watching("second", 1, ended.set):
        clock.now += 2
        assert ended.wait(10)
    third = threading.Event()
    with watchdog.watching("third", 1, third.set):
        clock.now += 2
        assert third.wait(10)

    assert "first could not be ended" in caplog.messages


def test_a_slow_reader_of_the_log_holds_up_no_wait(
    watchdog: Watchdog, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_read, reading = threading.Event(), threading.Event()

    def held_up(*_: object) -> None:
        reading.set()
        assert is_read.wait(30)

    monkeypatch.setattr("maskline.watchdog.logger.warning", held_up)
    with watchdog.watching("slow"):
        clock.now += 6
        assert reading.wait(10)
        begun = threading.Thread(target=lambda: watchdog.watching("another").__enter__(), daemon=True)
        begun.start()
        begun.join(10)
        is_read.set()

    assert not begun.is_alive()


def watchdog_threads() -> set[threading.Thread]:
    """Return the threads that look after waits."""
    return {thread for thread in threading.enumerate() if thread.name == "watchdog"}


def test_one_thread_serves_all_waits(watchdog: Watchdog) -> None:
    before = watchdog_threads()

    with watchdog.watching("first"), watchdog.watching("second"):
        during = watchdog_threads() - before
    for _ in range(20):
        with watchdog.watching("another"):
            pass

    assert len(during) == 1
    assert watchdog_threads() - before == during


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_looks_after_its_own_waits_and_not_its_parents(watchdog: Watchdog, clock: Clock) -> None:
    read, write = os.pipe()
    with watchdog.watching("the parent's", 1, lambda: None), watchdog._lock:
        child = os.fork()
        if child == 0:
            ended = threading.Event()
            with watchdog.watching("the child's", 1, ended.set):
                clock.now += 2
                is_well = ended.wait(10) and [wait.what for wait in watchdog._waits] == ["the child's"]
            os.write(write, b"well" if is_well else b"not well")
            os._exit(0)
    try:
        await_until(lambda: os.waitpid(child, os.WNOHANG)[0] == child, "the child has ended", seconds=30)
        os.close(write)
        assert os.read(read, 100) == b"well"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.close(read)
