"""The tiers of tests: which ones start no server, so that they run anywhere in seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SERVERS = frozenset({"postgres", "sqs", "elasticmq", "aws_server", "server_directory"})
"""The fixtures that start a server, or give a directory to one; most tests ask for others that build on these."""

OTHER_TIERS = frozenset({"slow", "soak", "prism", "heavy"})
"""The markers of what is no unit test, whatever fixtures it asks for."""

FOLDERS_OF_OTHER_TIERS = ("dataflow", "e2e", "faults", "flink", "install")


def is_unit_test(item: pytest.Item) -> bool:
    """Say whether a test is of the tier ``unit``.

    Args:
        item: The test, once it is collected.
    """
    fixtures = frozenset(getattr(item, "fixturenames", ()))
    markers = frozenset(marker.name for marker in item.iter_markers())
    folder = item.path.relative_to(TESTS).parts[0]
    return not (fixtures & SERVERS or markers & OTHER_TIERS or folder in FOLDERS_OF_OTHER_TIERS)
