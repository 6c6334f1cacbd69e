"""The stub."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.servers.stub import StubSqs


@pytest.fixture(scope="session")
def stub() -> Iterator[StubSqs]:
    """The stub in a process of its own."""
    with StubSqs() as server:
        yield server
