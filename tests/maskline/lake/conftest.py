"""What tests of the lake share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from maskline.pipeline.local.postgres import EmbeddedPostgres
from maskline.postgres.connection import Connection
from tests.conftest import MIGRATED, copy_of


@pytest.fixture
def second_dsn(postgres: EmbeddedPostgres, administrator: Connection) -> Iterator[str]:
    """A second migrated database, empty."""
    with copy_of(MIGRATED, administrator) as name:
        yield postgres.dsn(name)
