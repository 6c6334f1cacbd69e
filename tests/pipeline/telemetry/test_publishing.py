"""Metrics are sent beside a run: at its end once more, and a receiver that hangs or fails holds up nothing."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from maskline.errors import ArgumentError
from maskline.pipeline.telemetry.publishing import Publishing


def test_the_last_state_is_sent_when_the_run_ends() -> None:
    sent: list[Any] = []
    state: Any = ["state"]

    with Publishing(lambda: state, sent.append, seconds=3600):
        before_the_end = list(sent)

    assert (before_the_end, sent) == ([], [["state"]])


def test_they_are_sent_again_and_again() -> None:
    sent_twice = threading.Event()
    sent: list[Any] = []

    def send(metrics: Any) -> None:
        sent.append(metrics)
        if len(sent) == 2:
            sent_twice.set()

    with Publishing(list, send, seconds=1) as publishing:
        publishing.publish()
        assert sent_twice.wait(10)


def test_a_receiver_that_fails_is_said_once_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    answers = [OSError("secret"), OSError("secret"), None, OSError("secret")]

    def send(_: Any) -> None:
        answer = answers.pop(0)
        if answer is not None:
            raise answer

    publishing = Publishing(list, send, seconds=3600)
    for _ in range(4):
        publishing.publish()

    said = [message for message in caplog.messages if message.startswith("metrics")]
    assert said == ["metrics were not sent, and are tried again: OSError"] * 2


def test_a_receiver_that_hangs_holds_up_no_end() -> None:
    answered = threading.Event()
    began_at = time.monotonic()

    def hang(_: Any) -> None:
        answered.wait(60)

    with Publishing(list, hang, seconds=3600, last_seconds=0.1):
        pass

    assert time.monotonic() - began_at < 30
    answered.set()


@pytest.mark.parametrize("seconds", [0, 0.5, -1, float("nan")])
def test_how_often_is_in_its_range(seconds: float) -> None:
    with pytest.raises(ArgumentError, match="publish_seconds is"):
        Publishing(list, lambda _: None, seconds)
