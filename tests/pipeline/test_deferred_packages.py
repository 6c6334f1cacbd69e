"""Beam is imported without what a job leaves unused, and finds all of it once it is used."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from maskline.pipeline import deferred_packages as module
from maskline.pipeline.deferred_packages import deferred_packages


@pytest.fixture
def _without_beartype(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("beartype.door", "beartype.roar"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_a_deferred_package_is_imported_at_its_first_use_and_not_by_imports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "maskline_rare.py").write_text("SIZE = 33\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(module._DEFERRED, "maskline_rare", {})

    with deferred_packages():
        importlib.import_module("maskline_rare")
        rare = importlib.import_module("maskline_rare")

    assert "maskline_rare" not in sys.modules
    assert rare.SIZE == 33
    assert "maskline_rare" in sys.modules
    with pytest.raises(AttributeError):
        rare.WIDTH  # noqa: B018


@pytest.mark.usefixtures("_without_beartype")
def test_a_comparison_of_hints_answers_and_fails_as_beartype_does() -> None:
    with deferred_packages():
        is_subhint = importlib.import_module("beartype.door").is_subhint
        not_comparable = importlib.import_module("beartype.roar").BeartypeDoorException

    assert is_subhint(list[int], Sequence[int])
    assert not is_subhint(list[int], Sequence[str])
    with pytest.raises(not_comparable):
        is_subhint(list[int], 7)


@pytest.mark.usefixtures("_without_beartype")
def test_another_member_of_a_stand_in_is_the_modules_own() -> None:
    with deferred_packages():
        is_bearable = importlib.import_module("beartype.door").is_bearable

    assert is_bearable(7, int)
    assert sys.modules["beartype.door"].is_bearable is is_bearable


@pytest.mark.usefixtures("_without_beartype")
def test_after_the_block_beartype_itself_is_found() -> None:
    with deferred_packages():
        stand_in = importlib.import_module("beartype.door")

    assert importlib.import_module("beartype.door") is not stand_in
    assert importlib.import_module("beartype.door").is_bearable("a", str)
