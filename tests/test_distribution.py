"""The tests are handed out whole where they share something."""

from __future__ import annotations

from pathlib import Path

from tests.distribution import ON_ONE_CLUSTER, TESTS, rank, unit_of


def test_those_that_share_a_flink_cluster_are_one_unit_and_any_other_file_is_one() -> None:
    units = {unit_of(f"{file}::test_something[one::two]") for file in ON_ONE_CLUSTER}

    assert {"tests/flink/test_faults.py", "tests/flink/test_upgrades.py"} <= ON_ONE_CLUSTER
    assert len(units) == 1
    assert unit_of("tests/flink/test_local.py::test_something") == "tests/flink/test_local.py"


def test_what_takes_long_comes_first() -> None:
    files = [TESTS / name for name in ("maskline/test_errors.py", "e2e/test_run.py", "install/test_wheel.py")]

    assert sorted(files, key=rank) == list(reversed(files))
    assert rank(Path(TESTS / "test_readme.py")) == rank(files[0])
