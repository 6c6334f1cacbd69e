"""The directory of local runs belongs to one process at a time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from maskline.errors import SetupError
from maskline.pipeline.local.directory import LocalDirectory


def test_a_second_user_is_refused_and_told_who_the_first_is(tmp_path: Path) -> None:
    with LocalDirectory(tmp_path / "data"), pytest.raises(SetupError, match=f"in use by process {os.getpid()}"):
        LocalDirectory(tmp_path / "data").__enter__()

    with LocalDirectory(tmp_path / "data"):
        pass


def test_a_portion_of_samples_is_claimed_once(tmp_path: Path) -> None:
    with LocalDirectory(tmp_path) as directory:
        first = [directory.claim_samples(100), directory.claim_samples(20)]

    with LocalDirectory(tmp_path) as directory:
        assert [*first, directory.claim_samples(1)] == [0, 100, 120]


def test_a_portion_that_cannot_be_claimed_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    with LocalDirectory(tmp_path) as directory:
        (tmp_path / "samples.new").mkdir()

        with pytest.raises(SetupError, match=r"samples\.json cannot be written \(Is a directory\)"):
            directory.claim_samples(100)


def test_clearing_forgets_everything_and_keeps_the_lock(tmp_path: Path) -> None:
    with LocalDirectory(tmp_path) as directory:
        directory.claim_samples(100)
        directory.postgres.mkdir()
        (directory.postgres / "PG_VERSION").write_text("18")

        directory.clear()

        assert [entry.name for entry in tmp_path.iterdir()] == ["lock"]
        assert directory.claim_samples(1) == 0
        with pytest.raises(SetupError):
            LocalDirectory(tmp_path).__enter__()
