"""Rows and rejections for the commands that look after them."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest

from maskline.keys import Keyset
from tests.maskline.postgres.masked_rows import write_masked

Write = Callable[[list[str]], list[str]]


@pytest.fixture
def write(dsn: str, keyset: Keyset) -> Write:
    """Write bodies as the job would, and return their message ids."""
    return functools.partial(write_masked, dsn, keyset)
