"""The disk of a local run's data directory is full."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.pipeline.local.postgres import DATABASE, EmbeddedPostgres
from maskline.postgres.connection import connect
from tests.awaiting import await_until
from tests.e2e.job_process import JobProcess
from tests.faults.case import OUTCOMES
from tests.faults.disks import fill, small_disk
from tests.maskline.postgres.records import value_of

pytestmark = pytest.mark.slow

DISK_MEGABYTES = 400


def test_started_on_a_full_disk_a_local_run_says_so_and_the_next_one_goes_on(server_directory: Path) -> None:
    server_directory.chmod(0o755)
    with small_disk(server_directory / "disk", DISK_MEGABYTES) as disk:
        options = ["local", f"--data_directory={disk / 'data'}"]
        first = JobProcess(options)
        assert first.wait() == 0, first.errors
        fill(disk / "ballast")

        full = JobProcess(options)

        assert full.wait() == 2
        assert "Postgres did not start" in full.errors.splitlines()[-1]
        assert "Traceback" not in full.errors
        (disk / "ballast").unlink()
        after = JobProcess([*options, "--messages=0"])
        assert after.wait() == 0, after.errors
        assert _outcomes(disk / "data") == 100


def test_a_disk_that_fills_up_under_a_local_run_ends_it_with_one_line_and_keeps_what_was_written(
    server_directory: Path,
) -> None:
    server_directory.chmod(0o755)
    with small_disk(server_directory / "disk", DISK_MEGABYTES) as disk:
        options = ["local", f"--data_directory={disk / 'data'}"]
        samples = disk / "data" / "samples.json"
        running = JobProcess([*options, "--follow"])
        await_until(lambda: samples.exists() and samples.read_text() > '{"next": 200}', "a third portion is sent")

        fill(disk / "ballast")

        assert running.wait() != 0
        assert "disk_full" in running.errors.splitlines()[-1] or "No space left" in running.errors.splitlines()[-1]
        assert "Traceback" not in running.errors
        (disk / "ballast").unlink()
        written = _outcomes(disk / "data")
        after = JobProcess([*options, "--messages=100"])
        assert after.wait() == 0, after.errors
        assert _outcomes(disk / "data") >= written + 100


def _outcomes(data: Path) -> int:
    with EmbeddedPostgres(data / "postgres") as postgres:
        connection = connect(postgres.dsn(DATABASE))
        count = int(value_of(connection, OUTCOMES))
        connection.close()
    return count
