"""How pytest-xdist hands the tests to its processes: file by file, and what takes long first.

Tests of a file stay together, for they may share a fixture; those that share a Flink cluster stay together, too. What
takes long comes first, for else it would be under way alone at the end.
"""

from __future__ import annotations

from pathlib import Path

from xdist.scheduler import LoadFileScheduling

TESTS = Path(__file__).parent
LONGEST_FIRST = ("install", "flink", "dataflow", "faults", "e2e", "benchmarks")
"""The folders of tests that take long; the others follow."""

ON_ONE_CLUSTER = frozenset(
    f"tests/flink/{file.name}" for file in (TESTS / "flink").glob("test_*.py") if "FlinkCase" in file.read_text()
)
"""The files whose tests take the Flink cluster that ``tests/flink/conftest.py`` starts once in a process."""


def rank(path: Path) -> int:
    """Return the place of a file's folder in the order of the tests.

    Args:
        path: The file.
    """
    folder = path.relative_to(TESTS).parts[0]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


def unit_of(nodeid: str) -> str:
    """Return the name of what a test is handed out with: its file, or the cluster.

    Args:
        nodeid: The test, as pytest calls it.
    """
    file = nodeid.partition("::")[0]
    return "a Flink cluster" if file in ON_ONE_CLUSTER else file


class FileScheduling(LoadFileScheduling):
    """Hands out files whole, and those whose tests share a Flink cluster together."""

    def _split_scope(self, nodeid: str) -> str:
        return unit_of(nodeid)
