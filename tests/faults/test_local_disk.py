"""The disk of a local run's data directory is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.awaiting import await_until
from tests.e2e.job_process import JobProcess
from tests.faults.disks import fill, small_disk

DISK_MEGABYTES = 400


@pytest.mark.slow
def test_show(server_directory: Path) -> None:
    server_directory.chmod(0o755)
    with small_disk(server_directory / "disk", DISK_MEGABYTES) as disk:
        options = ["local", f"--data_directory={disk / 'data'}"]
        first = JobProcess([*options, "--messages=100"])
        assert first.wait() == 0, first.errors
        fill(disk / "ballast")
        full = JobProcess([*options, "--messages=100"])
        print("A", full.wait(), full.output, full.errors)
        (disk / "ballast").unlink()
        follow = JobProcess([*options, "--follow"])
        samples = disk / "data" / "samples.json"
        await_until(lambda: samples.read_text() > '{"next": 200}', "more")
        fill(disk / "ballast")
        print("B", follow.wait(), follow.output, follow.errors)
        assert 0
