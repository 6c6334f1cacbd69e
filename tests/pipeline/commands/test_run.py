"""The command run begins its check while Beam is imported, where nothing of Beam's can keep the job from starting."""

from __future__ import annotations

import argparse
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from maskline.pipeline.commands import run as run_command

NAMES = SimpleNamespace(stream=SimpleNamespace(name="logins"), queue=SimpleNamespace(name="events"))


@pytest.mark.parametrize(
    ("beam_arguments", "processes", "is_begun"),
    [([], 1, True), (["--no_such_option"], 1, False), ([], 2, False)],
    ids=["begun", "Beam may refuse an option", "processes are forked first"],
)
def test_the_check_is_begun_before_beam_is_there_only_where_that_is_safe(
    monkeypatch: pytest.MonkeyPatch, beam_arguments: list[str], processes: int, is_begun: bool
) -> None:
    events: list[str] = []

    class RecordedWork:
        def __init__(self, work: object, name: str) -> None:
            assert callable(work)
            assert name == "preflight"

        def begin(self) -> None:
            events.append("check")

    class Running(SimpleNamespace):
        def __getattr__(self, name: str) -> Any:
            events.append("Beam")
            return lambda *_: 0

    monkeypatch.setattr(run_command, "job_settings", lambda _: NAMES)
    monkeypatch.setattr(run_command, "name_run_in_logs", lambda *_: None)
    monkeypatch.setattr(run_command, "BackgroundWork", RecordedWork)
    monkeypatch.setitem(sys.modules, "maskline.pipeline.running", Running(__spec__=None))

    assert run_command.main(argparse.Namespace(processes=processes), beam_arguments) == 0

    assert (events[0] == "check") is is_begun
    assert "check" not in events[1:]
