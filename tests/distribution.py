"""How pytest-xdist hands the tests to its processes: file by file, and what takes long first.

Tests of a file stay together, for they may share a fixture; those that share a Flink cluster stay together, too. What
takes long comes first, for else it would be under way alone at the end.
"""

from __future__ import annotations

from pathlib import Path

from xdist.scheduler import LoadFileScheduling

TESTS = Path(__file__).parent
LONGEST_FIRST = ("install", "flink", "faults", "e2e", "benchmarks")
"""The folders of tests that take long; the others follow."""

ON_ONE_CLUSTER = tuple(f"tests/flink/test_{name}.py" for name in ("ctrl_c", "environments", "faults", "upgrades"))


def rank(path: Path) -> int:
    """Return the place of a file's folder in the order of the tests.

    Args:
        path: The file.
    """
    folder = path.relative_to(TESTS).parts[0]
    return LONGEST_FIRST.index(folder) if folder in LONGEST_FIRST else len(LONGEST_FIRST)


class FileScheduling(LoadFileScheduling):  # type: ignore[misc]
    """Hands out files whole, and those whose tests share a Flink cluster together."""

    def _split_scope(self, nodeid: str) -> str:
        scope: str = super()._split_scope(nodeid)
        return "a Flink cluster" if scope in ON_ONE_CLUSTER else scope
