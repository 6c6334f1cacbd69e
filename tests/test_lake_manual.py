"""docs/lake.md holds: its commands and its program run as they stand."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from maskline.keys import Keyset
from maskline.pipeline.cli import main
from tests.documents import blocks, run_commands, user_environment
from tests.e2e.conftest import login
from tests.e2e.job_process import PROJECT
from tests.maskline.postgres.masked_rows import write_masked

MANUAL = (PROJECT / "docs" / "lake.md").read_text()


@pytest.mark.slow
def test_its_commands_and_its_program_run_as_they_stand(
    tmp_path: Path, dsn: str, keyset: Keyset, keyset_uri: str
) -> None:
    write_masked(dsn, keyset, [login(1), login(2), login(3, ip="198.51.0.1"), login(4, ip=None)])
    assert Path(keyset_uri.removeprefix("file:")).parent == tmp_path
    (commands,) = blocks(MANUAL, "bash")
    (program,) = blocks(MANUAL, "python")

    first = run_commands(commands, tmp_path, {"MASKLINE_POSTGRES": dsn})
    write_masked(dsn, keyset, [login(5)])
    places = [f"--lake_opaque={tmp_path / 'lake/opaque'}", f"--lake_clear={tmp_path / 'lake-clear/logins'}"]
    second = main(["lake", "publish", f"--postgres={dsn}", f"--keyset={keyset_uri}", *places])
    shown = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=user_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert first.returncode == 0, first.stdout + first.stderr
    assert "opaque: 4 rows published" in first.stdout
    assert "clear: 4 rows on 1 days, as in user_logins." in first.stdout
    assert second == 0
    assert shown.returncode == 0, shown.stderr
    assert "masked_ip" in shown.stdout
    assert "a token for the field ip; equal values have equal tokens" in shown.stdout
    assert re.search(r"^1 4$", shown.stdout, re.MULTILINE), "the version before, and its rows"
    assert re.search(r"2 │ insert\s+│\s+1 │", shown.stdout), "what is new since"
    assert "│ 198.51.0.1 │" in shown.stdout


def test_every_action_that_it_names_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["lake", "--help"])

    offered = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))
    assert set(re.findall(r"^\| `lake (\w+)`", MANUAL, re.MULTILINE)) == offered
