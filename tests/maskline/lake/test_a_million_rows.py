"""A million rows go to both copies in bounded memory, and are all there. (How long it took stands in docs/lake.md.)"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.masks.deterministic import Masker
from maskline.pipeline.cli import main
from maskline.postgres.connection import Connection
from tests.e2e.job_process import PROJECT
from tests.maskline.lake.copies import lake_table
from tests.maskline.postgres.records import run

ROWS = 1_000_000
DAYS = 400
MAX_MEGABYTES = 500


def publish_in_a_process(options: list[str]) -> tuple[int, float]:
    """Publish, and return the exit code and the most memory it took in 2**20 bytes."""
    process = subprocess.Popen([sys.executable, "-m", "pipeline", "lake", "publish", *options], cwd=PROJECT)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_a_million_rows_on_many_days_take_bounded_memory(
    dsn: str, keyset: Keyset, keyset_uri: str, database: Connection, tmp_path: Path
) -> None:
    masker = Masker(keyset)
    addresses, devices = (
        [masker.mask(f"{prefix}{number}", f"user_logins.{column}") for number in range(1000)]
        for prefix, column in (("198.51.100.", "masked_ip"), ("593-47-", "masked_device_id"))
    )
    run(
        database,
        "INSERT INTO user_logins (user_id, device_type, masked_ip, masked_device_id, locale, app_version, create_date,"
        " message_id, sent_at, key_id) SELECT gen_random_uuid(), 'android', (%s::text[])[1 + n %% 1000],"
        " (%s::text[])[1 + n %% 1000], 'RU', '2.3.0', DATE '2026-01-01' + n %% %s, gen_random_uuid(), now(), %s"
        " FROM generate_series(1, %s) AS n",
        [addresses, devices, DAYS, keyset.primary_key_id, ROWS],
    )
    lake = [f"--lake_opaque={tmp_path / 'opaque'}", f"--lake_clear={tmp_path / 'clear'}"]
    options = [f"--postgres={dsn}", f"--keyset={keyset_uri}", *lake]

    exit_code, megabytes = publish_in_a_process(options)

    assert exit_code == 0
    assert megabytes < MAX_MEGABYTES
    version = lake_table(tmp_path / "opaque").newest().number
    assert publish_in_a_process(options)[0] == 0
    assert lake_table(tmp_path / "opaque").newest().number == version
    assert main(["lake", "verify", *options]) == 0
    # The database's own check of every token, by two implementations, would take a quarter of an hour.
    run(database, "TRUNCATE user_logins")
