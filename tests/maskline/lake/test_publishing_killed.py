"""A publisher killed at any step leaves nothing half done, and the next one misses and doubles nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from maskline.keys import Keyset
from maskline.lake.columns import Copy
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.lake.killed_publisher import STEPS
from tests.maskline.postgres.masked_rows import write_masked


def test_a_kill_at_any_step_misses_nothing_and_doubles_nothing(
    dsn: str, keyset: Keyset, keyset_uri: str, tmp_path: Path
) -> None:
    written: list[str] = []
    seen: dict[str, int] = {}
    place = tmp_path / "clear"

    for number, step in enumerate(STEPS):
        written += write_masked(dsn, keyset, [login(10 * number + place) for place in range(3)])
        command = [sys.executable, "-m", "tests.maskline.lake.killed_publisher", dsn, keyset_uri, str(place), step]
        child = subprocess.run(command, cwd=PROJECT, capture_output=True, check=False)
        assert child.returncode == -signal.SIGKILL, (step, child.stderr)
        seen[step] = len(rows_in(place, "message_id"))

    publish(dsn, lake_table(place, Copy.CLEAR), keyset)

    assert seen == {**dict.fromkeys(STEPS, 0), "committed": len(written)}
    assert rows_in(place, "message_id") == sorted(written)
