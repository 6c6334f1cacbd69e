"""A publisher killed at any step leaves nothing half done, and the next one misses and doubles nothing."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.lake.copies import Copy
from maskline.pipeline.cli import main
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT, JobProcess
from tests.maskline.lake.copies import lake_table, publish, rows_in
from tests.maskline.lake.killed_publisher import STEPS
from tests.maskline.postgres.masked_rows import write_masked

KILLS = 20


@pytest.mark.slow
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

    publish(dsn, lake_table(place, Copy.CLEARTEXT), keyset)

    assert seen == {**dict.fromkeys(STEPS, 0), "committed": len(written)}
    assert rows_in(place, "message_id") == sorted(written)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_kills_at_any_moment_beside_writers_miss_nothing_and_double_nothing(
    dsn: str, keyset: Keyset, keyset_uri: str, tmp_path: Path
) -> None:
    chance = random.Random(4711)
    ended = threading.Event()
    written: list[str] = []

    def write() -> None:
        number = 0
        while not ended.wait(0.05):
            written.extend(write_masked(dsn, keyset, [login(number + place) for place in range(20)]))
            number += 20

    lake = [f"--lake_opaque={tmp_path / 'opaque'}", f"--lake_clear={tmp_path / 'clear'}"]
    options = ["lake", "publish", f"--postgres={dsn}", f"--keyset={keyset_uri}", *lake]
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(KILLS):
            process = JobProcess([*options, "--follow", "--interval_seconds=0.01"])
            # Most of them are at work by then, some are still starting.
            time.sleep(chance.uniform(0.5, 3.5))
            process.send_signal(signal.SIGKILL)
            process.wait()
    finally:
        ended.set()
        writer.join()

    assert main(options) == 0
    assert rows_in(tmp_path / "opaque", "message_id") == rows_in(tmp_path / "clear", "message_id") == sorted(written)
