"""What the tests of an installation share: a copy of the checkout, for a build leaves folders in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install.environments import Environment, copy_of_checkout


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, in a folder with a space in its name."""
    return copy_of_checkout(tmp_path_factory.mktemp("check out"))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    """An environment of a project that has packages called as ours are in the checkout."""
    return Environment(tmp_path)
