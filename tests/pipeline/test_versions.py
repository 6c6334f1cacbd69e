"""``--version`` works whatever is installed."""

from __future__ import annotations

import importlib.metadata
import re

import apache_beam as beam
import pytest

from maskline.pipeline.cli import main
from tests.pinned import pins


def test_it_shows_maskline_and_what_it_masks_and_runs_with(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0

    first, *others = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"maskline \d+\.\d+\.\d+", first)
    assert others[:2] == [f"Apache Beam {beam.__version__}", f"Tink {pins()['tink']}"]
    assert re.fullmatch(r"Python 3\.\d+\.\d+", others[2])


def test_what_is_not_installed_is_left_out(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", not_installed)

    assert main(["--version"]) == 0

    assert [line.partition(" ")[0] for line in capsys.readouterr().out.splitlines()] == ["maskline", "Python"]
