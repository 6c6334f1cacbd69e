"""A keyset in a file, and ``keys`` to change it with."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from maskline.keys import Keyset, keyset_provider, open_keyset
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.maskline.keysets import KEY
from tests.maskline.postgres.records import run

Keys = Callable[..., int]


@pytest.fixture
def keyset_file(keyset_uri: str) -> Path:
    """The file that `keyset_uri` names."""
    return Path(keyset_uri.removeprefix("file:"))


@pytest.fixture
def keys(keyset_uri: str) -> Keys:
    """Run an action of ``keys`` on the keyset, and return its exit code."""

    def run_action(action: str, *arguments: object) -> int:
        return main(["keys", action, f"--keyset={keyset_uri}", *map(str, arguments)])

    return run_action


@pytest.fixture
def imported(keys: Keys, keyset_file: Path, tmp_path: Path) -> int:
    """The id of a raw key of some other tool, imported into the keyset."""
    raw = tmp_path / "raw.key"
    raw.write_bytes(KEY)
    raw.chmod(0o600)
    keys("import", raw)
    return int(json.loads(keyset_file.read_text())["key"][-1]["keyId"])


def an_hour_passes(database: Connection) -> None:
    """Have it be more than an hour since any job wrote."""
    run(database, "UPDATE maskline_key_writers SET last_written = last_written - interval '61 minutes'")


def opened(uri: str) -> Keyset:
    """Open the keyset at a URI."""
    return open_keyset(keyset_provider(uri).fetch())
